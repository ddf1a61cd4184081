import ArgumentParser
import DistributedAttention
import Parallelism
import Transformer

extension GenerateCommand {
  /// Generates from one prompt, in this process.
  func runSingle(model path: String, prompt: String?) throws {
    // Standard input first: who types it waits for nothing else.
    let text = try tokens == nil ? prompt ?? standardInputText() : ""
    let workers = storage.makeWorkers()
    let (model, loadSeconds) = try open(path, on: workers)
    let promptTokens = try tokens?.ids ?? promptTokens(text, model)
    let source = try source(model, promptTokens.count, on: workers)
    Interruption.note()
    try run(source, model, promptTokens, loadSeconds, to: .standard)
    if Interruption.came { throw ExitCode(130) }
  }

  /// Generates from one prompt over ranks that all come here. The first reads the prompt and writes the text.
  func runSingle(model path: String, prompt: String?, over communicator: some Communicator) throws {
    let isFirst = communicator.rank == 0
    let text = try isFirst && tokens == nil ? prompt ?? standardInputText() : ""
    let (model, loadSeconds) = try open(path, on: storage.makeWorkers())
    var prompt: [Int] = []
    if isFirst { prompt = try tokens?.ids ?? promptTokens(text, model) }
    prompt = try communicator.fromFirst(prompt)
    let source = try GenerationSession(
      model, options, capacity: capacity(model, prompt.count), over: communicator)
    try run(source, model, prompt, loadSeconds, to: isFirst ? .standard : .none)
  }

  /// Takes the prompt in, and writes what comes after it, to an output.
  private func run(
    _ source: any TokenSource, _ model: LanguageModel, _ promptTokens: [Int], _ loadSeconds: Double,
    to output: CommandOutput
  ) throws {
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
    if isWhole { try generate(source, model.tokenizer, into: &result, to: output) }
    result.timings = source.timings
    if source.lowByteReads.seen > 0 { result.lowBytesRead = source.lowByteReads.share }
    switch format {
    case .text: try output.write("\n")
    case .json: try output.write(result.line())
    }
    output.note(
      rates(source.timings, generated: result.tokens.count) + lowByteShare(source.lowByteReads))
  }

  private func source(
    _ model: LanguageModel, _ promptCount: Int, on workers: WorkerPool
  ) throws(ModelError) -> any TokenSource {
    let capacity = capacity(model, promptCount)
    guard let draft else { return try GenerationSession(model, options, capacity: capacity) }
    return try SpeculativeGenerator(
      model, draft: open(draft, on: workers).model, options, capacity: capacity)
  }

  private func capacity(_ model: LanguageModel, _ promptCount: Int) -> Int {
    let wanted = promptCount.addingReportingOverflow(sampling.maxTokens)
    return max(1, min(model.decoder.context, wanted.overflow ? .max : wanted.partialValue))
  }

  private func generate(
    _ source: any TokenSource, _ tokenizer: Tokenizer, into result: inout GenerationResult,
    to output: CommandOutput
  ) throws {
    var assembler = TextAssembler(tokenizer, stops: sampling.stop)
    while !assembler.isStopped, !Interruption.came, let token = try source.next() {
      result.tokens.append(token)
      try emit(assembler.append(token, isLast: source.end != nil), into: &result, to: output)
    }
    try emit(assembler.finish(), into: &result, to: output)
  }

  private func emit(_ text: String, into result: inout GenerationResult, to output: CommandOutput) throws {
    result.text += text
    if format == .text, !text.isEmpty { try output.write(text) }
  }
}
