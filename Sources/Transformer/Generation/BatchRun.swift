import Attention
import Tensors

/// One call of ``BatchGenerator``: who waits, who is under way, and one step after the other.
struct BatchRun {
  typealias Outcome = (index: Int, result: Result<BatchResult, ModelError>)

  /// Rows whose logits are in memory at once.
  private static let logitRows = 128

  private let generator: BatchGenerator
  private let scoring: Bool
  /// The next one first.
  private var waiting: [BatchRequest] = []
  /// The oldest first; all have a sequence.
  private(set) var active: [BatchRequest] = []

  init(_ generator: BatchGenerator, scoring: Bool) {
    (self.generator, self.scoring) = (generator, scoring)
  }

  var isUnderWay: Bool { !waiting.isEmpty || !active.isEmpty }

  private var pool: KeyValuePool { generator.pool }
  private var decoder: DecoderModel { generator.model.decoder }

  /// Takes a prompt among those that wait.
  ///
  /// - Throws: ``ModelError`` where it can never be answered.
  mutating func add(_ prompt: [Int], _ index: Int) throws(ModelError) {
    try decoder.check(prompt: prompt, capacity: decoder.context)
    guard pages(prompt.count) <= pool.pages else {
      throw ModelError(
        "prompt", "\(prompt.count) tokens given, expected at most the pool's \(pool.pages * pool.pageSize)")
    }
    waiting.append(try BatchRequest(index, prompt, generator.model, generator.options))
  }

  /// A pass of the model, and who is finished after it.
  mutating func step() throws(ModelError) -> [Outcome] {
    admit()
    let (parts, ended) = plan()
    if parts.isEmpty { return ended }
    let finished = try run(parts)
    active.removeAll { request in finished.contains { $0.index == request.index } }
    return ended + finished
  }

  private func pages(_ tokens: Int) -> Int { (tokens + pool.pageSize - 1) / pool.pageSize }

  /// Pages that tokens take beyond those of a sequence.
  private func newPages(_ request: BatchRequest, appending count: Int) -> Int {
    let before = request.sequence?.count ?? 0
    return pages(before + count) - pages(before)
  }

  // MARK: - Who takes part

  /// Takes up prompts while a step has room for their tokens, and the pool for them and another page of each.
  private mutating func admit() {
    var load = active.reduce(0) { $0 + $1.pending.count }
    var promised = active.reduce(0) { $0 + newPages($1, appending: $1.pending.count) + 1 }
    while load < generator.stepTokens, let request = waiting.first {
      // The last token's logits are wanted, so it is always computed.
      let sequence =
        scoring ? pool.makeSequence() : pool.makeSequence(reusing: Array(request.tokens.dropLast()))
      request.sequence = sequence
      let wanted = newPages(request, appending: request.pending.count) + 1
      if !active.isEmpty, promised + wanted > pool.freePages {
        request.sequence = nil
        return
      }
      if request.start == nil {
        request.start = .now
        request.result.reusedTokens = sequence.count
      }
      promised += wanted
      load += request.pending.count
      active.append(waiting.removeFirst())
    }
  }

  /// How many tokens of whom go into the next step: those that write first, then new prompts, the oldest first.
  private mutating func plan() -> (parts: [(request: BatchRequest, count: Int)], ended: [Outcome]) {
    while !active.isEmpty {
      var room = generator.stepTokens
      var parts: [(request: BatchRequest, count: Int)] = []
      for request in active.filter(\.isDecoding) + active.filter({ !$0.isDecoding }) where room > 0 {
        let count = min(request.pending.count, room)
        parts.append((request, count))
        room -= count
      }
      let wanted = parts.reduce(0) { $0 + newPages($1.request, appending: $1.count) }
      if wanted <= pool.freePages { return (parts, []) }
      let youngest = active.removeLast()
      youngest.sequence = nil
      if active.isEmpty {
        // Alone it fills the pool: its text is as long as it may be.
        if let result = youngest.finishFull() { return ([], [(youngest.index, .success(result))]) }
        let error = ModelError(
          "prompt",
          "\(youngest.tokens.count) tokens given, expected at most those of the pool's \(pool.freePages) free pages of \(pool.pageSize)"
        )
        return ([], [(youngest.index, .failure(error))])
      }
      if youngest.result.topLogits.isEmpty { youngest.score = PromptScore() }
      youngest.result.restarts += 1
      waiting.insert(youngest, at: 0)
    }
    return ([], [])
  }

  // MARK: - The pass

  private typealias Part = (request: BatchRequest, count: Int)

  private func run(_ parts: [Part]) throws(ModelError) -> [Outcome] {
    // Who has all tokens in the cache after this step, and the row behind the last one.
    var complete: [(request: BatchRequest, row: Int)] = []
    var row = -1
    for part in parts {
      row += part.count
      if part.count == part.request.pending.count { complete.append((part.request, row)) }
    }
    let states: Tensor<Float>
    do throws(AttentionError) {
      states = try pass(parts)
    } catch {
      let reason = ModelError(error.argument, error.reason)
      // Who asks for memory again finds none either; any other reason is one part's own, and no harm to the others.
      if error.kind == .outOfMemory { throw reason }
      guard parts.count > 1 else { return parts.map { ($0.request.index, .failure(reason)) } }
      var outcomes: [Outcome] = []
      for part in parts { outcomes += try run([part]) }
      return outcomes
    }
    var outcomes: [Outcome] = []
    for first in stride(from: 0, to: complete.count, by: Self.logitRows) {
      let slice = complete[first..<min(first + Self.logitRows, complete.count)]
      let logits = try asModelError { () throws(AttentionError) in
        try decoder.logits(of: states, rows: slice.map(\.row))
      }
      for (row, item) in slice.enumerated() {
        let request = item.request
        do throws(ModelError) {
          let isFinished = try request.choose(
            from: logits, row: row, generator.options, ends: generator.model.tokenizer.end,
            context: decoder.context)
          if isFinished { outcomes.append((request.index, .success(request.result))) }
        } catch {
          outcomes.append((request.index, .failure(error)))
        }
      }
    }
    return outcomes
  }

  /// Tokens of some requests through the layers, into the cache: all of them, or nothing.
  private func pass(_ parts: [Part]) throws(AttentionError) -> Tensor<Float> {
    let tokens = parts.map { Array($0.request.pending.prefix($0.count)) }
    let step = try KeyValueStep(parts.compactMap(\.request.sequence), appending: tokens)
    let states = try decoder.states(tokens, step)
    var scores = parts.map(\.request.score)
    var row = 0
    for (index, part) in parts.enumerated() {
      if scoring, part.request.result.topLogits.isEmpty {
        try scores[index].add(decoder, states, tokens[index], firstRow: row)
      }
      row += part.count
    }
    try step.commit()
    for (part, score) in zip(parts, scores) { part.request.score = score }
    return states
  }
}
