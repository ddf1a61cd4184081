import Foundation
import Testing

@testable import Transformer

@Suite(.serialized) struct TextGeneratorTests {
  @Test func streamsWhatASessionGives() async throws {
    let model = try GenerationFixtures.tiny.get()
    for one in try GenerationFixtures.tinyCases.get() {
      let stream = TextGenerator(model).stream(tokens: one.tokenIds, GenerationFixtures.exact(64))
      var (ids, text): ([Int], String) = ([], "")
      for try await token in stream {
        ids.append(token.id)
        text += token.text
      }
      #expect(ids == one.greedyTokenIds, "after \(one.prompt)")
      #expect(text == model.tokenizer.decode(ids, skippingSpecialTokens: true))
    }
  }

  @Test func severalTextsTakeTurns() async throws {
    let generator = TextGenerator(try GenerationFixtures.tiny.get())
    let cases = try GenerationFixtures.tinyCases.get()
    try await withThrowingTaskGroup(of: (Int, [Int]).self) { group in
      for index in 0..<16 {
        group.addTask {
          var ids: [Int] = []
          let stream = generator.stream(tokens: cases[index % 8].tokenIds, GenerationFixtures.exact(64))
          for try await token in stream { ids.append(token.id) }
          return (index, ids)
        }
      }
      for try await (index, ids) in group { #expect(ids == cases[index % 8].greedyTokenIds, "text \(index)") }
    }
  }

  @Test func stopTextsEndTheStream() async throws {
    let generator = TextGenerator(try GenerationFixtures.tiny.get())
    var options = GenerationFixtures.exact(64)
    options.stops = ["files"]
    var text = ""
    for try await token in generator.stream(tokens: [0, 53, 675, 326, 222], options) { text += token.text }
    #expect(text.hasSuffix("Source Code "), "\(text)")
  }

  @Test func mistakesAreThrownToTheReader() async throws {
    let generator = TextGenerator(try GenerationFixtures.tiny.get())
    let long = Array(repeating: 1, count: 2000)
    var options = GenerationOptions()
    options.chunk = 0
    for stream in [
      generator.stream(tokens: []), generator.stream(tokens: [5000]), generator.stream(tokens: long),
      generator.stream("a", GenerationOptions(window: 0)), generator.stream("a", options),
      generator.stream(chat: [.init(role: .user, content: "a")]),
    ] {
      await #expect(throws: ModelError.self) { for try await _ in stream {} }
    }
  }

  /// The last token of a prompt that would take minutes.
  @Test func aMistakeIsFoundBeforeAnythingIsComputed() async throws {
    let model = try LanguageModel(path: GenerationFixtures.tinyPath, context: 1_000_000)
    let prompt = Array(repeating: 7, count: 100_000) + [5000]
    let start = ContinuousClock.now
    await #expect(throws: ModelError.self) {
      for try await _ in TextGenerator(model).stream(tokens: prompt) {}
    }
    #expect(ContinuousClock.now - start < .seconds(5))
  }

  @Test func chunksDoNotMatter() async throws {
    let generator = TextGenerator(try GenerationFixtures.tiny.get())
    let prompt = (0..<150).map { (7 * $0 + 3) % 1024 }
    let expected = try alone(generator.model, prompt, GenerationFixtures.exact(20))
    for chunk in [1, 64, 150] {
      var options = GenerationFixtures.exact(20)
      options.chunk = chunk
      var ids: [Int] = []
      for try await token in generator.stream(tokens: prompt, options) { ids.append(token.id) }
      #expect(ids == expected, "chunks of \(chunk)")
    }
  }

  /// Tokens that are computed when nobody reads are bounded, and none are when nobody can.
  @Test func aSlowReaderHoldsTheComputationUp() async throws {
    let channel = TokenChannel(capacity: TextGenerator.bufferedTokens)
    let probe = Probe()
    let thread = Thread {
      var sent = 0
      while channel.send(GeneratedToken(id: sent, text: "")) {
        sent += 1
        probe.set(sent)
      }
      probe.end()
    }
    thread.start()
    try await expectEventually { probe.sent == TextGenerator.bufferedTokens }
    try await Task.sleep(for: .milliseconds(50))
    #expect(probe.sent == TextGenerator.bufferedTokens)
    for index in 0..<5 { #expect(try await channel.next()?.id == index) }
    try await expectEventually { probe.sent == TextGenerator.bufferedTokens + 5 }
    try await Task.sleep(for: .milliseconds(50))
    #expect(probe.sent == TextGenerator.bufferedTokens + 5)
    channel.cancel()
    try await expectEventually { probe.isEnded }
  }

  @Test func droppingTheIteratorEndsTheComputation() async throws {
    let channel = TokenChannel(capacity: 2)
    do {
      var iterator = TokenStream.Iterator(channel: channel)
      #expect(channel.send(GeneratedToken(id: 1, text: "a")))
      #expect(try await iterator.next()?.id == 1)
      #expect(!channel.isAbandoned)
    }
    #expect(channel.isAbandoned)
    #expect(!channel.send(GeneratedToken(id: 2, text: "b")))
  }

  /// The thread lets go of the channel when it ends: with a text, and with a prompt, that would take minutes.
  @Test(arguments: [([0, 53], 512), (Array(repeating: 7, count: 100_000), 64)])
  func theThreadEndsWithTheIterator(prompt: [Int], chunk: Int) async throws {
    let model = try LanguageModel(path: GenerationFixtures.tinyPath, context: 1_000_000)
    var options = GenerationOptions(maximumTokens: 500_000)
    (options.chunk, options.stopsAtEnd) = (chunk, false)
    weak var channel: TokenChannel?
    do {
      let own = TokenChannel(capacity: 2)
      channel = own
      TextGenerator(model).start(.tokens(prompt), options, into: own)
      var iterator = TokenStream.Iterator(channel: own)
      if prompt.count == 2 { #expect(try await iterator.next() != nil) }
      try await Task.sleep(for: .milliseconds(20))
    }
    try await expectEventually { channel == nil }
  }

  private func expectEventually(
    _ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    for _ in 0..<2000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
    #expect(condition(), sourceLocation: sourceLocation)
  }

  @Test func cancellingTheTaskEndsTheStream() async throws {
    let generator = TextGenerator(try GenerationFixtures.tiny.get())
    let task = Task {
      var count = 0
      for try await _ in generator.stream(tokens: [0, 53], GenerationFixtures.exact(1000)) {
        count += 1
        if count == 3 { withUnsafeCurrentTask { $0?.cancel() } }
      }
      return count
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    // A task that waits for a token when it is cancelled.
    let channel = TokenChannel(capacity: 2)
    let waiting = Task { try await channel.next() }
    try await Task.sleep(for: .milliseconds(50))
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    #expect(channel.isAbandoned)
  }

  /// What a thread tells a test.
  private final class Probe: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    private var ended = false

    var sent: Int { lock.withLock { count } }
    var isEnded: Bool { lock.withLock { ended } }
    func set(_ value: Int) { lock.withLock { count = value } }
    func end() { lock.withLock { ended = true } }
  }
}
