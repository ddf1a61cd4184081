import Attention
import Foundation
import Synchronization
import Tensors

/// Answers requests that come at any time in the same passes: continuous batching for servers.
///
///     let service = try BatchService(model, poolTokens: 32_768)
///     if let events = try service.stream(tokens, options) {
///       for try await event in events { … }
///     }
///
/// One thread owns all passes. Each pass takes the next token of every request that is under way and, as far as ``stepTokens`` go, pieces of
/// prompts that are new, so that nobody waits for another's text to end. A request is taken up in its turn, once the pool has room for the
/// longest text that it may become: no request is ever put off half-way. Whole pages at its start that another had are not computed again.
///
/// Cancelling the task that reads, or dropping the stream, ends a request before the next pass. ``BatchGenerator`` is for prompts that are
/// all there from the start.
public final class BatchService: Sendable {
  /// What comes of a request: its tokens, and then its end.
  public enum Event: Sendable, Equatable {
    /// A token, and the text that it completes.
    case token(GeneratedToken)
    /// Why no more tokens come, and how many of the prompt's tokens others had computed before.
    case end(GenerationEnd, reusedTokens: Int)
  }

  /// What comes of one request; for one reader. Nothing waits for a slow one: what it has not read is kept, at most its maximum of tokens.
  public typealias Stream = AsyncThrowingStream<Event, any Error>

  /// The model.
  public let model: LanguageModel

  /// The most tokens of all requests in one pass.
  public let stepTokens: Int

  /// The most requests that are under way or wait for their turn.
  public let requestLimit: Int

  private let pool: KeyValuePool
  private let inbox = ServiceInbox()

  /// A service with a pool and a thread of its own.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - poolTokens: how many tokens the pool holds, rounded up to pages of 64.
  ///   - keys: what keys are stored in.
  ///   - values: what values are stored in.
  ///   - stepTokens: the most tokens of one pass.
  ///   - requestLimit: the most requests at once.
  /// - Throws: ``ModelError`` where a number is below 1, or there is no memory.
  public init(
    _ model: LanguageModel, poolTokens: Int, keys: KeyValueType = .bfloat16, values: KeyValueType = .bfloat16,
    stepTokens: Int = 512, requestLimit: Int = 256
  ) throws(ModelError) {
    for (name, value) in [
      ("poolTokens", poolTokens), ("stepTokens", stepTokens), ("requestLimit", requestLimit),
    ] where value < 1 {
      throw ModelError(name, "\(value) given, expected at least 1")
    }
    (self.model, self.stepTokens, self.requestLimit) = (model, stepTokens, requestLimit)
    let pool = try asModelError { () throws(AttentionError) in
      try model.decoder.makePool(keys: keys, values: values, pages: (poolTokens - 1) / 64 + 1)
    }
    self.pool = pool
    let thread = Thread { [inbox] in
      var batch = ServiceBatch(model, pool, stepTokens: stepTokens, inbox)
      while batch.goesOn() { batch.step() }
    }
    // The default of a secondary thread is too small for deep library calls on some systems.
    thread.stackSize = 4 << 20
    thread.name = "BatchService"
    thread.start()
  }

  /// Ends what is under way; see ``stop()``.
  deinit { stop() }

  /// How many requests are under way or wait for their turn.
  public var requestCount: Int { inbox.state.withLock { $0.count } }

  /// Takes a request.
  ///
  /// - Parameters:
  ///   - prompt: its tokens.
  ///   - options: without a window; what keys and values are stored in is the service's to say, not theirs.
  /// - Returns: its events, which fail where its logits are NaN, there is no memory, or the service stops; nil where ``requestLimit``
  ///   requests are there already.
  /// - Throws: ``ModelError`` where an option is out of its range, the prompt is empty, too long or has unknown tokens, the text may
  ///   outgrow the pool, or the service was stopped.
  public func stream(
    _ prompt: [Int], _ options: GenerationOptions = GenerationOptions()
  ) throws(ModelError) -> Stream? {
    try options.check()
    guard options.window == nil else { throw ModelError("window", "given, expected none in a batch") }
    let context = model.decoder.context
    try model.decoder.check(prompt: prompt, capacity: context)
    let longest = prompt.count + min(options.maximumTokens, context - prompt.count)
    guard longest <= pool.pages * pool.pageSize else {
      throw ModelError(
        "prompt",
        "\(prompt.count) tokens and up to \(longest - prompt.count) more given, expected at most the pool's "
          + "\(pool.pages * pool.pageSize)")
    }
    let (events, continuation) = Stream.makeStream()
    if longest == prompt.count {
      continuation.yield(.end(options.maximumTokens == 0 ? .maximum : .capacity, reusedTokens: 0))
      continuation.finish()
      return events
    }
    let request = try ServiceRequest(prompt, longest: longest, options, model.tokenizer, continuation)
    let isTaken: Bool? = inbox.state.withLock { state in
      if state.isStopped { return nil }
      if state.count >= requestLimit { return false }
      state.count += 1
      state.arrivals.append(request)
      return true
    }
    guard let isTaken else { throw ModelError("service", "stopped, expected one that runs") }
    // Only now: a request that was refused must not wake anyone when it goes.
    if isTaken { inbox.watch(request) }
    return isTaken ? events : nil
  }

  /// Ends all requests with a `CancellationError` before the next pass; none is taken from now on.
  public func stop() {
    inbox.state.withLock { $0.isStopped = true }
    inbox.bell.signal()
  }
}

/// What callers and the service's thread share.
private final class ServiceInbox: Sendable {
  struct State {
    var arrivals: [ServiceRequest] = []
    /// Those that are under way or wait, arrivals included.
    var count = 0
    var isStopped = false
  }

  let state = Mutex(State())
  /// Rings when there is something to look at.
  let bell = DispatchSemaphore(value: 0)

  /// Rings for a request that is new, and once nobody reads it any more.
  func watch(_ request: ServiceRequest) {
    let isAbandoned = request.isAbandoned
    request.continuation.onTermination = { [bell] _ in
      isAbandoned.value.store(true, ordering: .relaxed)
      bell.signal()
    }
    bell.signal()
  }
}

/// A request on its way.
private struct ServiceRequest: Sendable {
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
    let end: GenerationEnd? =
      if options.stopsAtEnd, ends.contains(token) {
        .token
      } else if tokens.count - promptCount >= options.maximumTokens {
        .maximum
      } else {
        tokens.count >= longest ? .capacity : nil
      }
    let text = assembler.append(token, isLast: end != nil)
    continuation.yield(.token(GeneratedToken(id: token, text: text)))
    return assembler.isStopped ? .stop : end
  }
}

/// What the service's thread works on.
private struct ServiceBatch {
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
        for (row, item) in slice.enumerated() where choose(item.index, logits.selected(axis: 0, row).elements) {
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
