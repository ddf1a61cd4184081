import Attention
import Tensors

/// A prompt of a batch on its way.
final class BatchRequest {
  let index: Int
  let promptCount: Int
  /// The prompt's and those generated.
  private(set) var tokens: [Int]
  /// Nil while it waits.
  var sequence: KeyValueSequence?
  var score = PromptScore()
  var result = BatchResult()
  /// Set once it is taken up.
  var start: ContinuousClock.Instant?

  private var sampler: Sampler
  private var assembler: TextAssembler
  private var lastToken: ContinuousClock.Instant?

  init(_ index: Int, _ prompt: [Int], _ model: LanguageModel, _ options: GenerationOptions) throws(ModelError)
  {
    self.index = index
    promptCount = prompt.count
    tokens = prompt
    sampler = try Sampler(options.sampling)
    assembler = TextAssembler(model.tokenizer, stops: options.stops)
  }

  /// Tokens that are not in the cache yet.
  var pending: ArraySlice<Int> { tokens[(sequence?.count ?? 0)...] }

  /// Whether the next pass is that of a token that was generated.
  var isDecoding: Bool { pending.count == 1 && tokens.count > promptCount }

  /// Takes the logits behind all tokens, a row of a step's.
  ///
  /// - Returns: whether it is finished.
  func choose(
    from logits: Tensor<Float>, row: Int, _ options: GenerationOptions, ends: Set<Int>, context: Int
  ) throws(ModelError) -> Bool {
    try logits.withRow(row) { (logits) throws(ModelError) in
      try choose(from: logits, options, ends: ends, context: context)
    }
  }

  private func choose(
    from logits: UnsafeBufferPointer<Float>, _ options: GenerationOptions, ends: Set<Int>, context: Int
  ) throws(ModelError) -> Bool {
    if tokens.count == promptCount, result.topLogits.isEmpty {
      result.topLogits = largest(BatchGenerator.topLogitCount, of: logits).map { ($0.token, $0.logit) }
      result.negativeLogLikelihood = score.mean
      result.timings.promptTokens = promptCount
      result.timings.promptSeconds = start.map(seconds(since:)) ?? 0
    }
    if let end = options.limit(
      generated: tokens.count - promptCount, length: tokens.count, capacity: context)
    {
      return finish(end)
    }
    let token = try sampler.sample(logits, after: tokens)
    tokens.append(token)
    result.tokens.append(token)
    let now = ContinuousClock.now
    if let lastToken {
      result.timings.tokenSeconds.append(seconds(since: lastToken))
    } else {
      result.timings.firstToken = start.map(seconds(since:))
    }
    lastToken = now
    let end = options.end(
      with: token, ends: ends, generated: tokens.count - promptCount, length: tokens.count, capacity: context)
    result.text += assembler.append(token, isLast: end != nil)
    if assembler.isStopped { return finish(.stop) }
    return end.map(finish) ?? false
  }

  /// Ends where the pool has no page for another token.
  ///
  /// - Returns: what was generated; nil where nothing was.
  func finishFull() -> BatchResult? {
    guard tokens.count > promptCount else { return nil }
    result.text += assembler.finish()
    result.end = .capacity
    return result
  }

  private func finish(_ end: GenerationEnd) -> Bool {
    result.end = end
    return true
  }
}
