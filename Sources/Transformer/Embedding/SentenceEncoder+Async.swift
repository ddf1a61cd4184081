import Attention
import Dispatch
import Synchronization

extension SentenceEncoder {
  /// A vector for each text, for servers: waits without keeping a thread of Swift's concurrency.
  ///
  /// Batches of all callers take turns, each with all threads of its pool. A task that is cancelled ends after the batch that is being
  /// computed.
  /// - Parameter texts: any texts; an empty one has the vector of the special tokens alone.
  /// - Returns: `[texts.count, width]`, in the order of the texts, the bits of the synchronous call.
  /// - Throws: ``ModelError`` where there is no memory; `CancellationError`.
  public func encode(_ texts: [String]) async throws -> Tensor<Float> {
    try Task.checkCancellation()
    var parts: [Tensor<Float>] = []
    for chunk in Self.chunks(of: texts) {
      try Task.checkCancellation()
      let texts = try await Self.computed { tokenized(chunk) }
      for batch in texts.batches(threads: encoder.workers.threadCount) {
        try Task.checkCancellation()
        parts.append(try await Self.computed { try vectors(of: texts.tokens[batch]) })
      }
    }
    return try joined(parts)
  }

  /// Serial: a pool of workers serves one call at a time, and two batches at once would each have half of the cache.
  static let queue = DispatchQueue(label: "attention.sentence-encoder", qos: .userInitiated)

  /// Computes in its turn; a task that is cancelled while it waits has nothing computed.
  static func computed<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    let cancellation = Cancellation()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        queue.async {
          continuation.resume(
            with: Swift.Result {
              if cancellation.came.load(ordering: .relaxed) { throw CancellationError() }
              return try body()
            })
        }
      }
    } onCancel: {
      cancellation.came.store(true, ordering: .relaxed)
    }
  }
}

/// What a task's cancellation handler tells the thread that computes for it.
private final class Cancellation: Sendable {
  let came = Atomic(false)
}
