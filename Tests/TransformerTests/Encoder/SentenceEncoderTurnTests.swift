import Dispatch
import Synchronization
import Testing

@testable import Transformer

/// What a task has computed in its turn, and what not.
@Suite struct SentenceEncoderTurnTests {
  private final class Count: Sendable {
    let value = Atomic(0)
  }

  @Test func whatIsCancelledBeforeItsTurnIsNotComputed() async throws {
    let (gate, computed) = (DispatchSemaphore(value: 0), Count())
    SentenceEncoder.queue.async { gate.wait() }
    func task() -> Task<Void, any Error> {
      Task { try await SentenceEncoder.computed { _ = computed.value.add(1, ordering: .relaxed) } }
    }
    let (cancelled, other) = (task(), task())
    // In the queue, most likely; before it the outcome is the same.
    try await Task.sleep(for: .milliseconds(50))
    cancelled.cancel()
    gate.signal()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    try await other.value
    #expect(computed.value.load(ordering: .relaxed) == 1)
  }
}
