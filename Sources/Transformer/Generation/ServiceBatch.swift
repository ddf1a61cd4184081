import Attention
import Synchronization
import Tensors

/// A request of a ``BatchService`` on its way.
struct ServiceRequest: Sendable {
  final class Flag: Sendable {
    let value = Atomic(false)
  }

  let promptCount: Int
  /// The most tokens that it may become, its prompt included.
  let longest: Int
  let options: GenerationOptions
  let continuation: BatchService.Stream.Continuation
  let isAbandoned = Flag()
  /// The prompt's and those generated.
  var tokens: [Int]
  /// Nil while it waits.
  var sequence: KeyValueSequence?
  var reusedTokens = 0
  var sampler: Sampler
  var assembler: TextAssembler

  init(
    _ prompt: [Int], longest: Int, _ options: GenerationOptions, _ tokenizer: Tokenizer,
    _ continuation: BatchService.Stream.Continuation
  ) throws(ModelError) {
    (promptCount, tokens, self.longest, self.options) = (prompt.count, prompt, longest, options)
    self.continuation = continuation
    sampler = try Sampler(options.sampling)
    assembler = TextAssembler(tokenizer, stops: options.stops)
  }

  /// Tokens that are in the cache.
  var held: Int { sequence?.count ?? 0 }
  var pending: Int { tokens.count - held }
  /// Whether the next pass is that of a token that was generated.
  var isDecoding: Bool { pending == 1 && tokens.count > promptCount }

  /// Takes the logits behind all tokens.
  ///
  /// - Returns: why it is finished; nil where it goes on.
  mutating func choose(from logits: [Float], ends: Set<Int>) throws(ModelError) -> GenerationEnd? {
    let token = try sampler.sample(logits, after: tokens)
    tokens.append(token)
    let end = options.end(
      with: token, ends: ends, generated: tokens.count - promptCount, length: tokens.count, capacity: longest)
    let text = assembler.append(token, isLast: end != nil)
    continuation.yield(.token(GeneratedToken(id: token, text: text)))
    return assembler.isStopped ? .stop : end
  }
}

/// What the thread of a ``BatchService`` works on: who waits, who is under way, and one pass after the other.
struct ServiceBatch {
  /// Rows whose logits are in memory at once.
  private static let logitRows = 128

  private let model: LanguageModel
  private let pool: KeyValuePool
  private let stepTokens: Int
  private let inbox: ServiceInbox
  /// The next one first.
  private var waiting: [ServiceRequest] = []
  /// The oldest first; all have a sequence.
  private var active: [ServiceRequest] = []

  init(_ model: LanguageModel, _ pool: KeyValuePool, stepTokens: Int, _ inbox: ServiceInbox) {
    (self.model, self.pool, self.stepTokens, self.inbox) = (model, pool, stepTokens, inbox)
  }

  /// Takes what has come, and waits for something where there is nothing to do.
  ///
  /// - Returns: false once the service was stopped.
  mutating func goesOn() -> Bool {
    while true {
      let isStopped = inbox.state.withLock { state in
        waiting += state.arrivals
        state.arrivals = []
        return state.isStopped
      }
      let all = waiting + active
      waiting.removeAll { isStopped || $0.isAbandoned.value.load(ordering: .relaxed) }
      active.removeAll { isStopped || $0.isAbandoned.value.load(ordering: .relaxed) }
      let gone = all.count - waiting.count - active.count
      inbox.state.withLock { $0.count -= gone }
      if isStopped {
        for request in all { request.continuation.finish(throwing: CancellationError()) }
        return false
      }
      admit()
      if !active.isEmpty { return true }
      inbox.bell.wait()
    }
  }

  private func pages(_ tokens: Int) -> Int { (tokens + pool.pageSize - 1) / pool.pageSize }

  /// Takes up requests in their turn while the pool has pages for all that those under way and they may still become.
  private mutating func admit() {
    var promised = active.reduce(0) { $0 + pages($1.longest) - pages($1.held) }
    // A pass has room for a token of each at least.
    while active.count < stepTokens, var request = waiting.first {
      // The last token's logits are wanted, so it is always computed.
      let sequence = pool.makeSequence(reusing: Array(request.tokens.dropLast()))
      promised += pages(request.longest) - pages(sequence.count)
      // Alone it fits always: `stream` has looked.
      if !active.isEmpty, promised > pool.freePages { return }
      (request.sequence, request.reusedTokens) = (sequence, sequence.count)
      active.append(request)
      waiting.removeFirst()
    }
  }

  /// A pass of the model, and what comes of it.
  mutating func step() {
    var room = stepTokens
    var parts: [(index: Int, count: Int)] = []
    let decodingFirst =
      active.indices.filter { active[$0].isDecoding } + active.indices.filter { !active[$0].isDecoding }
    for index in decodingFirst where room > 0 {
      let count = min(active[index].pending, room)
      parts.append((index, count))
      room -= count
    }
    var ended: Set<Int> = []
    do throws(ModelError) {
      let (states, complete) = try pass(parts)
      for first in stride(from: 0, to: complete.count, by: Self.logitRows) {
        let slice = complete[first..<min(first + Self.logitRows, complete.count)]
        let logits = try asModelError { () throws(AttentionError) in
          try model.decoder.logits(of: states, rows: slice.map(\.row))
        }
        for (row, item) in slice.enumerated() where choose(item.index, logits.selected(axis: 0, row).elements)
        {
          ended.insert(item.index)
        }
      }
    } catch {
      // No memory, most likely: whoever was in this pass is without a token, and the others are not to suffer.
      for part in parts where !ended.contains(part.index) {
        active[part.index].continuation.finish(throwing: error)
        ended.insert(part.index)
      }
    }
    active = active.indices.filter { !ended.contains($0) }.map { active[$0] }
    inbox.state.withLock { $0.count -= ended.count }
  }

  /// Pieces of some requests through the layers, into the cache.
  ///
  /// - Returns: the states, and who has all tokens in the cache now, with the row behind the last one.
  private func pass(
    _ parts: [(index: Int, count: Int)]
  ) throws(ModelError) -> (states: Tensor<Float>, complete: [(index: Int, row: Int)]) {
    let tokens = parts.map { Array(active[$0.index].tokens[active[$0.index].held...].prefix($0.count)) }
    var complete: [(index: Int, row: Int)] = []
    var row = -1
    for part in parts {
      row += part.count
      if part.count == active[part.index].pending { complete.append((part.index, row)) }
    }
    let states = try asModelError { () throws(AttentionError) in
      let step = try KeyValueStep(parts.compactMap { active[$0.index].sequence }, appending: tokens)
      let states = try model.decoder.states(tokens, step)
      try step.commit()
      return states
    }
    return (states, complete)
  }

  /// The next token of a request.
  ///
  /// - Returns: whether it is finished.
  private mutating func choose(_ index: Int, _ logits: [Float]) -> Bool {
    do throws(ModelError) {
      guard let end = try active[index].choose(from: logits, ends: model.tokenizer.end) else { return false }
      active[index].continuation.yield(.end(end, reusedTokens: active[index].reusedTokens))
      active[index].continuation.finish()
    } catch {
      active[index].continuation.finish(throwing: error)
    }
    return true
  }
}
