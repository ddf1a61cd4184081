import Testing
import Transformer

/// What `BatchService` does for callers that are no server.
struct BatchServiceTests {
  /// Readers that go at any time, while others come: whoever stays gets their tokens, and nothing is left over.
  @Test func readersThatGo() async throws {
    let model = try Models.tiny.get()
    let service = try BatchService(model, poolTokens: 2048, stepTokens: 24)
    let expected = try CompletionTests.prompts.map { try Self.tokens(after: $0, 30) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for request in 0..<120 {
        let index = request % CompletionTests.prompts.count
        group.addTask {
          let prompt = try model.tokens(of: CompletionTests.prompts[index])
          let stream = try #require(try service.stream(prompt, GenerationOptions(maximumTokens: 30)))
          // Every third one goes after some tokens, or before the first.
          let wanted = request % 3 == 0 ? request % 7 : 30
          var tokens: [Int] = []
          for try await event in stream {
            if tokens.count >= wanted { break }
            if case .token(let token) = event { tokens.append(token.id) }
          }
          #expect(tokens == Array(expected[index].prefix(wanted)), "request \(request)")
        }
      }
      try await group.waitForAll()
    }
    let start = ContinuousClock.now
    while service.requestCount > 0, ContinuousClock.now - start < .seconds(5) {
      try await Task.sleep(for: .milliseconds(2))
    }
    #expect(service.requestCount == 0)
  }

  @Test func endsAndRefusals() async throws {
    let model = try Models.tiny.get()
    let service = try BatchService(model, poolTokens: 256, requestLimit: 1)
    var options = GenerationOptions(maximumTokens: 0)
    #expect(try await Self.events(service.stream([1, 2], options)) == [.end(.maximum, reusedTokens: 0)])
    options.window = 8
    #expect(throws: ModelError.self) { try service.stream([1], options) }
    #expect(throws: ModelError.self) { try service.stream([]) }
    #expect(throws: ModelError.self) { try service.stream([1024]) }
    #expect(throws: ModelError.self) { try service.stream([1], GenerationOptions(maximumTokens: 256)) }
    #expect(throws: ModelError.self) { try BatchService(model, poolTokens: 0) }

    let long = try service.stream([1], GenerationOptions(maximumTokens: 255))
    #expect(long != nil)
    #expect(try service.stream([1], GenerationOptions(maximumTokens: 1)) == nil)
    service.stop()
    await #expect(throws: CancellationError.self) { try await Self.events(long) }
    #expect(throws: ModelError.self) { try service.stream([1]) }
  }

  /// A service that nobody holds any more ends what is under way, and its thread.
  @Test func aServiceThatGoes() async throws {
    var service: BatchService? = try BatchService(Models.tiny.get(), poolTokens: 2048)
    let events = try service?.stream([1], GenerationOptions(maximumTokens: 1000))
    service = nil
    await #expect(throws: CancellationError.self) { try await Self.events(events) }
  }

  private static func events(_ stream: BatchService.Stream?) async throws -> [BatchService.Event] {
    var events: [BatchService.Event] = []
    for try await event in try #require(stream) { events.append(event) }
    return events
  }

  private static func tokens(after prompt: String, _ count: Int) throws -> [Int] {
    let model = try Models.tiny.get()
    let session = try GenerationSession(model, GenerationOptions(maximumTokens: count))
    try session.prefill(model.tokens(of: prompt))
    var tokens: [Int] = []
    while let token = try session.next() { tokens.append(token) }
    return tokens
  }
}
