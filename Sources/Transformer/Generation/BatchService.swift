import Attention
import Foundation
import Synchronization

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
final class ServiceInbox: Sendable {
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
