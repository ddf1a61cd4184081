import Attention
import Tensors

/// One text in the making: a prompt goes in, tokens come out one by one, on the caller's thread.
///
///     let session = try GenerationSession(model, options)
///     try session.prefill(tokens)
///     while let token = try session.next() { … }
///
/// The choice of the next token and its pass through the model are one call, the pass first, so that nothing is computed for a token that
/// nobody wants. A call that throws leaves the chunks before the one that failed.
public final class GenerationSession: TokenSource {
  /// The model without its tokenizer.
  public let decoder: DecoderModel

  /// As given.
  public let options: GenerationOptions

  /// The most tokens of the text, its prompt included.
  public let capacity: Int

  /// The tokens so far, the prompt's first.
  public private(set) var tokens: [Int] = []

  /// How many of ``tokens`` were generated.
  public private(set) var generatedCount = 0

  /// Why ``next()`` gives no more; nil while it does.
  public private(set) var end: GenerationEnd?

  /// What it took.
  public private(set) var timings = GenerationTimings()

  /// Of all passes of few tokens: how many rows of keys' low bytes were read.
  public var lowByteReads: LowByteReads { decoder.lowByteReads }

  /// The logits of the next token; empty before a prompt. A copy.
  public var logits: [Float] { lastRow?.elements ?? [] }

  /// Sum and count of −ln p over the prompt's tokens that were scored.
  private(set) var score = PromptScore()

  private let ends: Set<Int>
  private let cache: any TextCache
  private var sampler: Sampler
  private var start: ContinuousClock.Instant?
  /// The logits of the next token, `[1, vocabulary]`; nil where a pass has to come first.
  private var lastRow: Tensor<Float>?
  /// How many tokens were generated since the last prompt.
  private var turnCount = 0

  /// The text of a model with its tokenizer; see ``init(decoder:ends:options:capacity:)``.
  public convenience init(
    _ model: LanguageModel, _ options: GenerationOptions = GenerationOptions(), capacity: Int? = nil
  ) throws(ModelError) {
    try self.init(decoder: model.decoder, ends: model.tokenizer.end, options: options, capacity: capacity)
  }

  /// A text without tokens.
  ///
  /// - Parameters:
  ///   - decoder: the model.
  ///   - ends: tokens that end generation.
  ///   - options: how tokens are chosen, and what is kept of them.
  ///   - capacity: the most tokens of the text, for which a cache is made; the model's context when nil.
  /// - Throws: ``ModelError`` where an option is out of its range, the capacity is above the context, or there is no memory.
  public convenience init(
    decoder: DecoderModel, ends: Set<Int>, options: GenerationOptions, capacity: Int? = nil
  ) throws(ModelError) {
    try self.init(decoder, ends, options, capacity) { (decoder, capacity) throws(ModelError) in
      try asModelError { () throws(AttentionError) in
        try SequenceCache(decoder, options, capacity: capacity)
      }
    }
  }

  /// A text whose cache `makeCache` makes, for a model that keeps to the options and a capacity that fits it.
  init(
    _ decoder: DecoderModel, _ ends: Set<Int>, _ options: GenerationOptions, _ capacity: Int?,
    _ makeCache: (DecoderModel, Int) throws(ModelError) -> any TextCache
  ) throws(ModelError) {
    try options.check()
    let capacity = capacity ?? decoder.context
    guard (1...decoder.context).contains(capacity) else {
      throw ModelError("capacity", "\(capacity) given, expected 1 to the context of \(decoder.context)")
    }
    (self.options, self.capacity, self.ends) = (options, capacity, ends)
    sampler = try Sampler(options.sampling)
    let decoder = decoder.within(options.tolerance)
    cache = try makeCache(decoder, capacity)
    self.decoder =
      options.window(within: capacity).map { decoder.windowed($0, keepingFirst: options.keptTokens) }
      ?? decoder
  }

  /// Takes a prompt in, or goes on with more of one, or with the next turn: whatever ended the last one ends no more, and
  /// ``GenerationOptions/maximumTokens`` count from here.
  ///
  /// - Parameters:
  ///   - prompt: at least one token.
  ///   - scoring: whether ``negativeLogLikelihood`` is to count its tokens, which costs logits of each.
  ///   - shouldGoOn: called before each chunk with how many of the tokens are done; false ends the call.
  /// - Returns: false where `shouldGoOn` ended it. What is done stays done.
  /// - Throws: ``ModelError`` where there are no tokens, one is out of range, or they are too many; and where there is no memory.
  @discardableResult
  public func prefill(
    _ prompt: [Int], scoring: Bool = false, shouldGoOn: (Int) -> Bool = { _ in true }
  ) throws(ModelError) -> Bool {
    try prefill(prompt, scoring: scoring, shouldGoOn: shouldGoOn) { (pass) throws(ModelError) in try pass() }
  }

  /// The same, with each pass handed to `run`: for whoever shares the model's threads.
  func prefill(
    _ prompt: [Int], scoring: Bool, shouldGoOn: (Int) -> Bool,
    run: (() throws(ModelError) -> Void) throws(ModelError) -> Void
  ) throws(ModelError) -> Bool {
    try decoder.check(prompt: prompt, after: tokens.count, capacity: capacity)
    (end, turnCount) = (nil, 0)
    let begin = ContinuousClock.now
    if start == nil { start = begin }
    // A token that was chosen last has not gone through the model yet.
    let prompt = Array(tokens[cache.count...]) + prompt
    let known = tokens.count - cache.count
    var done = 0
    lastRow = nil
    while done < prompt.count {
      guard shouldGoOn(max(0, done - known)) else { return false }
      let chunk = Array(prompt[done..<min(done + options.chunk, prompt.count)])
      let isLast = done + chunk.count == prompt.count
      try run { () throws(ModelError) in
        try pass(chunk, scoring: scoring, isPrompt: true, isLast: isLast)
      }
      tokens += chunk.dropFirst(max(0, known - done))
      done += chunk.count
    }
    return true
  }

  /// The next token; nil at the end, which ``end`` tells.
  ///
  /// - Throws: ``ModelError`` where logits are NaN.
  /// - Precondition: a prompt was taken in whole.
  public func next() throws(ModelError) -> Int? {
    if end != nil { return nil }
    end = options.limit(generated: turnCount, length: tokens.count, capacity: capacity)
    if end != nil { return nil }
    let begin = ContinuousClock.now
    if cache.count < tokens.count {
      try pass(Array(tokens[cache.count...]), scoring: false, isPrompt: false, isLast: true)
    }
    guard let lastRow else { preconditionFailure("next() before a prompt was taken in") }
    let token = try lastRow.withRow(0) { (logits) throws(ModelError) in
      try sampler.sample(logits, after: tokens)
    }
    tokens.append(token)
    generatedCount += 1
    turnCount += 1
    if timings.firstToken == nil, let start {
      timings.firstToken = seconds(since: start)
    } else {
      timings.tokenSeconds.append(seconds(since: begin))
    }
    end = options.end(
      with: token, ends: ends, generated: turnCount, length: tokens.count, capacity: capacity)
    return token
  }

  /// The mean of −ln p over the tokens of prompts after the first, each given those before it; nil where none was scored.
  public var negativeLogLikelihood: Double? { score.mean }

  /// The largest logits of the next token, the largest first, of equal ones the lower token.
  public func largestLogits(_ count: Int) -> [(token: Int, logit: Float)] {
    largest(count, of: logits).map { ($0.token, $0.logit) }
  }

  /// Tokens that are in ``tokens`` or about to be: through the layers, into the cache, and out as logits.
  private func pass(_ chunk: [Int], scoring: Bool, isPrompt: Bool, isLast: Bool) throws(ModelError) {
    let begin = ContinuousClock.now
    try asModelError { () throws(AttentionError) in
      var (score, scoringSeconds) = (score, 0.0)
      let last = try cache.pass(chunk, through: decoder) { (states) throws(AttentionError) in
        if scoring {
          let begin = ContinuousClock.now
          try score.add(decoder, states, chunk)
          scoringSeconds = seconds(since: begin)
        }
        return isLast ? try decoder.logits(of: states, rows: [chunk.count - 1]) : nil
      }
      self.score = score
      if let last { lastRow = last }
      if isPrompt {
        timings.promptTokens += chunk.count
        timings.promptSeconds += seconds(since: begin) - scoringSeconds
      }
    }
  }
}

/// Why generation ended.
public enum GenerationEnd: String, Sendable {
  /// The model chose a token that ends a text or a turn.
  case token
  /// One of the stop texts came.
  case stop
  /// As many tokens came as were asked for.
  case maximum
  /// The text is as long as it may be.
  case capacity
}

extension DecoderModel {
  /// Throws where a prompt is empty, too long or has tokens that the model does not have.
  func check(prompt: [Int], after count: Int = 0, capacity: Int) throws(ModelError) {
    guard !prompt.isEmpty else { throw ModelError("prompt", "empty, expected at least one token") }
    guard prompt.count <= capacity - count else {
      throw ModelError(
        "prompt",
        "\(prompt.count) tokens given, expected at most \(capacity - count), what fits the context of \(context)"
      )
    }
    for token in prompt where !(0..<configuration.vocabulary).contains(token) {
      throw ModelError("prompt", "token \(token) given, expected 0..<\(configuration.vocabulary)")
    }
  }
}
