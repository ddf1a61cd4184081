import Attention
import LinearAlgebra
import Tensors

/// One text in the making, faster by a small model that guesses ahead.
///
/// The draft model proposes some tokens, each the most probable to it. The model itself sees them all in one pass, chooses a token behind
/// each as it would alone, and keeps them as far as both agree, with its own token behind them. Tokens are therefore those of
/// ``GenerationSession`` with the same options and seed, sampled ones included, but where rounding of passes of another size decides between
/// logits that are all but equal.
///
///     let generator = try SpeculativeGenerator(model, draft: small, options)
///     try generator.prefill(tokens)
///     while let token = try generator.next() { … }
///
/// It pays where the draft is several times faster and often right: Leviathan, Kalman and Matias 2023, "Fast Inference from Transformers via
/// Speculative Decoding".
public final class SpeculativeGenerator: TokenSource {
  /// How many tokens the draft proposes at a time.
  public let proposalCount: Int

  /// The tokens so far, the prompt's first.
  public private(set) var tokens: [Int] = []

  /// How many of ``tokens`` were generated.
  public private(set) var generatedCount = 0

  /// Why ``next()`` gives no more; nil while it does.
  public private(set) var end: GenerationEnd?

  /// What it took; tokens that were agreed on take no time of their own.
  public private(set) var timings = GenerationTimings()

  /// None: a tolerance does not go with a draft.
  public var lowByteReads: LowByteReads { LowByteReads() }

  /// How many tokens the draft proposed.
  public private(set) var proposedCount = 0

  /// How many of them were right.
  public private(set) var agreedCount = 0

  private let target: DecoderModel
  private let draft: DecoderModel
  private let ends: Set<Int>
  private let options: GenerationOptions
  private let capacity: Int
  private let sequence: KeyValueSequence
  let draftSequence: KeyValueSequence
  private var sampler: Sampler
  /// The logits behind ``tokens``; empty where a pass has to come first.
  private var logits: [Float] = []
  /// Tokens that are chosen already, to be handed out.
  private var ready: [Int] = []
  private var score = PromptScore()
  private var start: ContinuousClock.Instant?

  /// A text without tokens.
  ///
  /// - Parameters:
  ///   - model: whose text it is.
  ///   - draft: a model of the same vocabulary.
  ///   - options: how tokens are chosen; without a window, and without a tolerance.
  ///   - proposalCount: how many tokens the draft proposes at a time.
  ///   - capacity: the most tokens of the text; the smaller context when nil.
  /// - Throws: ``ModelError`` where the vocabularies differ, an option is out of its range, or there is no memory.
  public init(
    _ model: LanguageModel, draft: LanguageModel, _ options: GenerationOptions, proposalCount: Int = 4,
    capacity: Int? = nil
  ) throws(ModelError) {
    try options.check()
    guard proposalCount >= 1 else {
      throw ModelError("proposalCount", "\(proposalCount) given, expected at least 1")
    }
    guard options.window == nil else { throw ModelError("window", "given, expected none beside a draft") }
    // Tokens that are verified together would decide which low bytes are read of each.
    guard options.tolerance == nil else {
      throw ModelError("tolerance", "given, expected none beside a draft")
    }
    try Self.checkVocabularies(model, draft)
    let context = min(model.decoder.context, draft.decoder.context)
    let capacity = min(capacity ?? context, context)
    guard capacity >= 1 else { throw ModelError("capacity", "\(capacity) given, expected at least 1") }
    (target, self.draft, ends) = (model.decoder, draft.decoder, model.tokenizer.end)
    (self.options, self.proposalCount, self.capacity) = (options, proposalCount, capacity)
    sampler = try Sampler(options.sampling)
    func sequence(_ decoder: DecoderModel) throws(ModelError) -> KeyValueSequence {
      try asModelError { () throws(AttentionError) in
        try decoder.makePool(keys: options.keys, values: options.values, pages: (capacity - 1) / 64 + 1)
          .makeSequence()
      }
    }
    self.sequence = try sequence(model.decoder)
    draftSequence = try sequence(draft.decoder)
  }

  private static func checkVocabularies(
    _ model: LanguageModel, _ draft: LanguageModel
  ) throws(ModelError) {
    let (own, other) = (model.decoder.configuration.vocabulary, draft.decoder.configuration.vocabulary)
    guard own == other, model.tokenizer.count == draft.tokenizer.count else {
      throw ModelError(
        draft.path,
        "a vocabulary of \(draft.tokenizer.count) tokens and \(other) rows given, expected that of \(model.path), \(model.tokenizer.count) and \(own)"
      )
    }
    for token in 0..<model.tokenizer.count
    where model.tokenizer.bytes(of: token) != draft.tokenizer.bytes(of: token) {
      throw ModelError(
        draft.path,
        "token \(token) is \(draft.tokenizer.label(of: token)), expected \(model.tokenizer.label(of: token)), that of \(model.path)"
      )
    }
  }

  /// Takes a prompt in; see ``GenerationSession/prefill(_:scoring:shouldGoOn:)``. To be called once, and for the rest of the prompt where
  /// a call threw or was ended.
  @discardableResult
  public func prefill(
    _ prompt: [Int], scoring: Bool = false, shouldGoOn: (Int) -> Bool = { _ in true }
  ) throws(ModelError) -> Bool {
    precondition(logits.isEmpty && generatedCount == 0, "a second prompt")
    try target.check(prompt: prompt, after: tokens.count, capacity: capacity)
    if start == nil { start = .now }
    for first in stride(from: 0, to: prompt.count, by: options.chunk) {
      guard shouldGoOn(first) else { return false }
      let chunk = Array(prompt[first..<min(first + options.chunk, prompt.count)])
      let begin = ContinuousClock.now
      var scoringSeconds = 0.0
      var (score, last) = (score, [Float]())
      try undoing(to: tokens.count) { () throws(AttentionError) in
        let states = try Self.states(target, sequence, chunk)
        if scoring {
          let begin = ContinuousClock.now
          try score.add(target, states, chunk)
          scoringSeconds += seconds(since: begin)
        }
        if first + chunk.count == prompt.count {
          last = try target.logits(of: states, rows: [chunk.count - 1]).elements
        }
        _ = try Self.states(draft, draftSequence, chunk)
      }
      (self.score, logits) = (score, last)
      tokens += chunk
      timings.promptTokens += chunk.count
      timings.promptSeconds += seconds(since: begin) - scoringSeconds
    }
    return true
  }

  /// The next token; nil at the end.
  ///
  /// - Throws: ``ModelError`` where logits are NaN.
  /// - Precondition: a prompt was taken in whole.
  public func next() throws(ModelError) -> Int? {
    if end != nil { return nil }
    end = options.limit(generated: generatedCount, length: tokens.count, capacity: capacity)
    if end != nil { return nil }
    let begin = ContinuousClock.now
    if ready.isEmpty { try refill() }
    let token = ready.removeFirst()
    tokens.append(token)
    generatedCount += 1
    if timings.firstToken == nil, let start {
      timings.firstToken = seconds(since: start)
    } else {
      timings.tokenSeconds.append(seconds(since: begin))
    }
    end = options.end(
      with: token, ends: ends, generated: generatedCount, length: tokens.count, capacity: capacity)
    return token
  }

  /// The mean of −ln p over the prompt's tokens after the first; nil where none was scored.
  public var negativeLogLikelihood: Double? { score.mean }

  /// The largest logits of the next token.
  public func largestLogits(_ count: Int) -> [(token: Int, logit: Float)] {
    largest(count, of: logits).map { ($0.token, $0.logit) }
  }

  /// Chooses at least one token.
  private func refill() throws(ModelError) {
    if !logits.isEmpty {
      // The first one, from the prompt's own pass.
      ready = [try sampler.sample(logits, after: tokens)]
      logits = []
      return
    }
    precondition(sequence.count < tokens.count, "next() before a prompt was taken in")
    // Neither cache may outgrow the capacity, and nobody wants more than the maximum.
    let room = min(capacity - tokens.count, options.maximumTokens - generatedCount) - 1
    // The last token has not gone through the models yet.
    let known = tokens.count - 1
    let (proposals, rows) = try undoing(to: known) { () throws(AttentionError) in
      let proposals = try propose(min(proposalCount, max(0, room)))
      let appended = Array(tokens[sequence.count...]) + proposals
      let first = appended.count - proposals.count - 1
      let states = try Self.states(target, sequence, appended)
      return (proposals, try target.logits(of: states, rows: Array(first..<appended.count)))
    }
    var chosen: [Int] = []
    for row in 0...proposals.count {
      do throws(ModelError) {
        let token = try rows.withRow(row) { (logits) throws(ModelError) in
          try sampler.sample(logits, after: tokens + chosen)
        }
        chosen.append(token)
        if row == proposals.count || token != proposals[row] { break }
      } catch {
        // As alone: tokens before the one that cannot be chosen come first, and then the error.
        if !chosen.isEmpty { break }
        try rewind(to: known)
        throw error
      }
    }
    proposedCount += proposals.count
    agreedCount += chosen.count - 1
    ready = chosen
    // All but the last chosen token are in the cache, where both agreed.
    try rewind(to: known + chosen.count)
  }

  /// Runs a pass of both models; where it fails, neither cache stays ahead of the tokens, or the next one would go on after others.
  private func undoing<Result>(
    to count: Int, _ pass: () throws(AttentionError) -> Result
  ) throws(ModelError) -> Result {
    do throws(ModelError) {
      return try asModelError(pass)
    } catch {
      try rewind(to: count)
      throw error
    }
  }

  /// Drops what the caches have beyond some tokens.
  private func rewind(to count: Int) throws(ModelError) {
    try asModelError { () throws(AttentionError) in
      try sequence.truncate(to: min(count, sequence.count))
      try draftSequence.truncate(to: min(count, draftSequence.count))
    }
  }

  /// What the draft goes on with.
  private func propose(_ count: Int) throws(AttentionError) -> [Int] {
    var proposals: [Int] = []
    while proposals.count < count {
      let missing =
        proposals.isEmpty ? Array(tokens[draftSequence.count...]) : [proposals[proposals.count - 1]]
      let states = try Self.states(draft, draftSequence, missing)
      let logits = try draft.logits(of: states, rows: [missing.count - 1])
      // A draft may say anything: the model itself decides.
      proposals.append(logits.withUnsafePointer { indexOfLargest($0, count: logits.count) })
    }
    return proposals
  }

  /// The states of tokens, which are in the cache then.
  private static func states(
    _ decoder: DecoderModel, _ sequence: KeyValueSequence, _ tokens: [Int]
  ) throws(AttentionError) -> Tensor<Float> {
    let step = try KeyValueStep([sequence], appending: [tokens])
    let states = try decoder.states([tokens], step)
    try step.commit()
    return states
  }
}
