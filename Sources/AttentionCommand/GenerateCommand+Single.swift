import ArgumentParser
import Parallelism
import Transformer

extension GenerateCommand {
  /// Generates from one prompt.
  func runSingle(model path: String, prompt: String?) throws {
    // Standard input first: who types it waits for nothing else.
    let text = try tokens == nil ? prompt ?? standardInputText() : ""
    let workers = storage.makeWorkers()
    let (model, loadSeconds) = try open(path, on: workers)
    let promptTokens = try tokens?.ids ?? promptTokens(text, model)
    let source = try source(model, promptTokens.count, on: workers)
    Interruption.note()

    var progress = ProgressLine(of: promptTokens.count)
    let isWhole = try source.prefill(promptTokens, scoring: format == .json) { done in
      progress.show(done)
      return !Interruption.came
    }
    progress.clear()
    var result = GenerationResult(
      promptTokens: promptTokens, timings: source.timings, loadSeconds: loadSeconds)
    if format == .json {
      result.topLogits = source.largestLogits(8).map { .init(token: $0.token, logit: $0.logit) }
      result.negativeLogLikelihood = source.negativeLogLikelihood
    }
    if isWhole { try generate(source, model.tokenizer, into: &result) }
    result.timings = source.timings
    if source.lowByteReads.seen > 0 { result.lowBytesRead = source.lowByteReads.share }
    switch format {
    case .text: try printOutput("\n")
    case .json: try printOutput(result.line())
    }
    printError(
      rates(source.timings, generated: result.tokens.count) + lowByteShare(source.lowByteReads))
    if Interruption.came { throw ExitCode(130) }
  }

  private func source(
    _ model: LanguageModel, _ promptCount: Int, on workers: WorkerPool
  ) throws(ModelError) -> any TokenSource {
    let wanted = promptCount.addingReportingOverflow(sampling.maxTokens)
    let capacity = max(1, min(model.decoder.context, wanted.overflow ? .max : wanted.partialValue))
    guard let draft else { return try GenerationSession(model, options, capacity: capacity) }
    return try SpeculativeGenerator(
      model, draft: open(draft, on: workers).model, options, capacity: capacity)
  }

  private func generate(
    _ source: any TokenSource, _ tokenizer: Tokenizer, into result: inout GenerationResult
  ) throws {
    var assembler = TextAssembler(tokenizer, stops: sampling.stop)
    while !assembler.isStopped, !Interruption.came, let token = try source.next() {
      result.tokens.append(token)
      try emit(assembler.append(token, isLast: source.end != nil), into: &result)
    }
    try emit(assembler.finish(), into: &result)
  }

  private func emit(_ text: String, into result: inout GenerationResult) throws {
    result.text += text
    if format == .text, !text.isEmpty { try printOutput(text) }
  }
}
