import Foundation

/// A bounded queue from a thread that may wait to a task that must not.
///
/// `@unchecked Sendable`: every field is touched under ``condition`` alone.
final class TokenChannel: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var tokens: [GeneratedToken] = []
  private var ending: Result<Void, any Error>?
  private var isCancelled = false
  /// The task that waits for a token.
  private var consumer: CheckedContinuation<GeneratedToken?, any Error>?

  init(capacity: Int) { self.capacity = capacity }

  // MARK: - The thread that computes

  /// Whether nobody wants more.
  var isAbandoned: Bool { locked { isCancelled } }

  /// Hands a token over; waits while the queue is full.
  ///
  /// - Returns: false where nobody wants more.
  func send(_ token: GeneratedToken) -> Bool {
    let waiting: CheckedContinuation<GeneratedToken?, any Error>? = locked {
      while tokens.count >= capacity, !isCancelled { condition.wait() }
      if isCancelled { return nil }
      if let consumer = consumer.take() { return consumer }
      tokens.append(token)
      return nil
    }
    waiting?.resume(returning: token)
    return !isAbandoned
  }

  /// No more tokens come.
  func finish(_ result: Result<Void, any Error>) {
    let waiting: CheckedContinuation<GeneratedToken?, any Error>? = locked {
      if ending == nil { ending = result }
      return consumer.take()
    }
    waiting?.resume(with: result.map { nil })
  }

  // MARK: - The task that reads

  /// The next token; nil after the last.
  ///
  /// - Throws: what ended the computation, once; `CancellationError` where the task is cancelled.
  func next() async throws -> GeneratedToken? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let ready: Result<GeneratedToken?, any Error>? = locked {
          if isCancelled { return .failure(CancellationError()) }
          if !tokens.isEmpty {
            condition.signal()
            return .success(tokens.removeFirst())
          }
          if let result = ending {
            ending = .success(())
            return result.map { nil }
          }
          precondition(consumer == nil, "two tasks read one iterator")
          consumer = continuation
          return nil
        }
        if let ready { continuation.resume(with: ready) }
      }
    } onCancel: {
      cancel()
    }
  }

  /// Nobody wants more.
  func cancel() {
    let waiting: CheckedContinuation<GeneratedToken?, any Error>? = locked {
      isCancelled = true
      tokens.removeAll()
      condition.broadcast()
      return consumer.take()
    }
    waiting?.resume(throwing: CancellationError())
  }

  private func locked<Value>(_ body: () -> Value) -> Value {
    condition.lock()
    defer { condition.unlock() }
    return body()
  }
}
