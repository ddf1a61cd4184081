import Attention
import DistributedAttention
import Testing

@testable import Transformer

/// Texts whose cache is spread over ranks that are threads.
@Suite(.serialized) struct ShardedSessionTests {
  /// Three blocks of a cache for 760 tokens, on up to four ranks.
  private let prompt = (0..<700).map { (7 * $0 + $0 / 5 + 3) % 1024 }

  private struct End: Sendable, Equatable {
    let tokens: [Int]
    let logits: [Float]
    let likelihood: Double?
  }

  private func onRanks<Result: Sendable>(
    _ ranks: Int, _ body: @escaping @Sendable (LocalCommunicator) throws -> Result
  ) throws -> [Result] {
    // Beside other suites a thread may wait minutes for its CPU, or for the pool.
    try LocalCommunicator.run(ranks: ranks, timeout: .seconds(1200), body)
  }

  @Test(arguments: [(1, 512), (2, 512), (3, 64), (4, 700), (2, 7)])
  func ranksGiveTheTokensOfOne(_ ranks: Int, _ chunk: Int) throws {
    let model = try GenerationFixtures.tiny.get()
    var options = GenerationFixtures.exact(60)
    options.chunk = chunk
    let alone = try GenerationSession(model, options, capacity: 760)
    try alone.prefill(prompt, scoring: true)
    let logits = alone.logits
    let (tokens, margins) = try aloneWithMargins(model, prompt, options)
    let ends = try onRanks(ranks) { [options, prompt] communicator in
      let session = try GenerationSession(model, options, capacity: 760, over: communicator)
      try session.prefill(prompt, scoring: true)
      let logits = session.logits
      return End(tokens: try session.rest(), logits: logits, likelihood: session.negativeLogLikelihood)
    }
    for end in ends { #expect(end == ends[0]) }
    let end = ends[0]
    let sure = margins.firstIndex { $0 <= 0.02 } ?? margins.count
    #expect(sure > 20, "a text that decides nothing: \(margins)")
    #expect(end.tokens.prefix(sure) == tokens.prefix(sure))
    #expect(zip(end.logits, logits).allSatisfy { abs($0 - $1) < 1e-3 })
    let likelihoods = (try #require(end.likelihood), try #require(alone.negativeLogLikelihood))
    #expect(abs(likelihoods.0 - likelihoods.1) < 1e-5)
  }

  /// Weights and queries of bfloat16, caches of every type, tokens that are drawn, and a second turn.
  @Test(arguments: [KeyValueType.bfloat16, .float16, .int8])
  func turnsAndDrawsAreTheSameOnAllRanks(_ type: KeyValueType) throws {
    let model = try LanguageModel(path: GenerationFixtures.tinyPath, weights: .bfloat16)
    let options = GenerationOptions(
      maximumTokens: 20, sampling: SamplingOptions(temperature: 0.9, topP: 0.95, seed: 3), keys: type,
      values: type)
    let ends = try onRanks(3) { [prompt] communicator in
      let session = try GenerationSession(model, options, over: communicator)
      try session.prefill(Array(prompt.prefix(300)))
      let first = try session.rest()
      try session.prefill(Array(prompt.suffix(300)))
      return first + (try session.rest())
    }
    #expect(ends[0].count > 20 && ends.allSatisfy { $0 == ends[0] })
  }

  /// Gemma's layers of windows and of the whole text, over blocks that some layers do not see.
  @Test func windowsOfLayersAreThoseOfTheText() throws {
    let model = try LanguageModel(path: GenerationFixtures.model("gemma3-270m/model.gguf"))
    let prompt = (0..<900).map { 1000 + (13 * $0) % 5000 }
    var options = GenerationFixtures.exact(4)
    options.chunk = 256
    let alone = try GenerationSession(model, options, capacity: 904)
    try alone.prefill(prompt)
    let logits = alone.logits
    let ends = try onRanks(2) { [options] communicator in
      let session = try GenerationSession(model, options, capacity: 904, over: communicator)
      try session.prefill(prompt)
      return session.logits
    }
    #expect(ends[0] == ends[1])
    let largest = logits.map(abs).max() ?? 0
    let difference = zip(ends[0], logits).map { abs($0 - $1) }.max() ?? .infinity
    #expect(difference < 0.02 * largest, "\(difference) of \(largest)")
  }

  @Test func ranksThatDisagreeAllSaySo() throws {
    let model = try GenerationFixtures.tiny.get()
    let texts = try onRanks(2) { [prompt] communicator -> [String] in
      var texts: [String] = []
      func note(_ body: () throws -> Void) {
        do { try body() } catch { texts.append("\(error)") }
      }
      note {
        _ = try GenerationSession(
          model, GenerationFixtures.exact(5), capacity: 760 + communicator.rank, over: communicator)
      }
      let session = try GenerationSession(model, GenerationFixtures.exact(5), over: communicator)
      note { try session.prefill([1, 2, 3 + communicator.rank]) }
      // Nothing has become part of the text, and it goes on.
      try session.prefill(Array(prompt.prefix(40)))
      return texts + ["\(try session.rest().count)"]
    }
    #expect(texts[0] == texts[1])
    #expect(texts[0].count == 3 && texts[0][0].contains("rank 1: capacity: 761 given, expected 760"))
    #expect(texts[0][1].contains("rank 1: tokens: [1, 2, 4] given, expected [1, 2, 3]"))
    #expect(texts[0][2] == "5")
  }

  @Test func whatNeedsTheWholeCacheIsRefused() throws {
    let model = try GenerationFixtures.tiny.get()
    let texts = try onRanks(2) { communicator -> [String] in
      var windowed = GenerationFixtures.exact(5)
      windowed.window = 64
      var bounded = GenerationOptions(keys: .planes, values: .int8)
      bounded.tolerance = 0.01
      return [windowed, bounded].map { options in
        do {
          _ = try GenerationSession(model, options, over: communicator)
          return "taken"
        } catch { return "\(error)" }
      }
    }
    #expect(texts[0] == texts[1])
    #expect(
      texts[0] == ["window", "tolerance"].map { "\($0): given for a text over several ranks, expected none" })
  }
}
