import Attention
import Testing

@testable import Transformer

@Suite(.serialized) struct SessionTests {
  private let prompt = (0..<150).map { (7 * $0 + 3) % 1024 }

  /// A window by its definition: a cache of everything, and a mask.
  private func masked(_ window: Int, kept: Int, count: Int) throws -> [Int] {
    let model = try GenerationFixtures.tiny.get()
    let decoder = model.decoder.windowed(window, keepingFirst: kept)
    let session = try GenerationSession(
      decoder: decoder, ends: model.tokenizer.end, options: GenerationFixtures.exact(count))
    try session.prefill(prompt)
    return try session.rest()
  }

  @Test(arguments: [1, 2, 5, 16, 64, 100]) func aRingGivesWhatAWindowOverEverythingGives(window: Int) throws {
    let model = try GenerationFixtures.tiny.get()
    let expected = try masked(window, kept: 4, count: 60)
    for chunk in [1, 9, 64, 512] {
      var options = GenerationFixtures.exact(60)
      options.window = window
      options.chunk = chunk
      #expect(try alone(model, prompt, options) == expected, "window \(window), chunk \(chunk)")
    }
    // A window matters here: or the test would tell nothing.
    if window < 64 {
      #expect(try alone(model, prompt, GenerationFixtures.exact(60)) != expected, "window \(window)")
    }
  }

  /// Attention over one key is that key's value, wherever it stands: what came before does not matter.
  @Test func aWindowOfOneSeesTheTokenAlone() throws {
    let model = try GenerationFixtures.tiny.get()
    var options = GenerationFixtures.exact(1)
    (options.window, options.keptTokens) = (1, 0)
    let windowed = try GenerationSession(model, options)
    try windowed.prefill(prompt)
    let single = try GenerationSession(model, GenerationFixtures.exact(1))
    try single.prefill([prompt[149]])
    let difference = zip(windowed.logits, single.logits).map { abs($0 - $1) }.max() ?? .infinity
    #expect(difference < 1e-3, "logits differ by \(difference)")
    // The first token too, and everything changes.
    options.keptTokens = 1
    let kept = try GenerationSession(model, options)
    try kept.prefill(prompt)
    #expect(zip(kept.logits, single.logits).contains { abs($0 - $1) > 0.1 })
  }

  @Test func aWindowWiderThanTheTextChangesNothing() throws {
    let model = try GenerationFixtures.tiny.get()
    let plain = GenerationFixtures.exact(60)
    var options = plain
    options.window = 2000
    #expect(try alone(model, prompt, options) == alone(model, prompt, plain))
  }

  @Test func chunksDoNotMatter() throws {
    let model = try GenerationFixtures.tiny.get()
    var scores: [Double] = []
    var texts: Set<[Int]> = []
    for chunk in [1, 7, 64, 150, 512] {
      var options = GenerationFixtures.exact(30)
      options.chunk = chunk
      let session = try GenerationSession(model, options)
      var told: [Int] = []
      try session.prefill(prompt, scoring: true) {
        told.append($0); return true
      }
      #expect(told == Array(stride(from: 0, to: prompt.count, by: chunk)))
      scores.append(try #require(session.negativeLogLikelihood))
      texts.insert(try session.rest())
      #expect(session.timings.promptTokens == prompt.count && session.timings.tokenSeconds.count == 29)
      #expect(session.tokens.count == 180 && session.generatedCount == 30 && session.end == .maximum)
    }
    #expect(texts.count == 1)
    #expect((scores.max() ?? 1) - (scores.min() ?? 0) < 1e-4, "\(scores)")
  }

  /// A text that goes on in pieces is the text that came at once.
  @Test func promptsGoOnAfterWhatWasGenerated() throws {
    let model = try GenerationFixtures.tiny.get()
    let session = try GenerationSession(model, GenerationFixtures.exact(40))
    try session.prefill([0, 53, 675])
    var tokens = [0, 53, 675]
    for _ in 0..<5 { tokens.append(try #require(try session.next())) }
    try session.prefill([326, 222])
    tokens += [326, 222]
    #expect(session.tokens == tokens)
    // The maximum counts from the last prompt on.
    let fresh = try GenerationSession(model, GenerationFixtures.exact(40))
    try fresh.prefill(tokens)
    #expect(try session.rest() == fresh.rest())
  }

  /// What ended one turn, an end token or the maximum, is no end of the next.
  @Test(arguments: [true, false]) func aTurnFollowsAnEnd(byToken: Bool) throws {
    let model = try GenerationFixtures.tiny.get()
    let first = try alone(model, [0, 53, 675], GenerationFixtures.exact(20))
    let ends: Set<Int> = byToken ? [first[7]] : []
    func session() throws -> GenerationSession {
      try GenerationSession(
        decoder: model.decoder, ends: ends, options: GenerationFixtures.exact(byToken ? 50 : 8))
    }
    let talk = try session()
    try talk.prefill([0, 53, 675])
    let answer = try talk.rest()
    #expect(answer.count <= 8 && talk.end == (byToken ? .token : .maximum), "\(answer)")
    #expect(throws: ModelError.self) { try talk.prefill([-1]) }
    #expect(talk.end != nil, "a prompt that is refused changes nothing")
    try talk.prefill([326, 222])
    #expect(talk.end == nil)
    let fresh = try session()
    try fresh.prefill([0, 53, 675] + answer + [326, 222])
    let (second, expected) = (try talk.rest(), try fresh.rest())
    #expect(!second.isEmpty && second == expected)
    #expect(talk.generatedCount == answer.count + second.count)
  }

  @Test func endsWhereItMust() throws {
    let model = try GenerationFixtures.tiny.get()
    for count in [0, 1, 5] {
      let session = try GenerationSession(model, GenerationFixtures.exact(count))
      try session.prefill([0, 53])
      #expect(try session.rest().count == count)
      #expect(session.end == .maximum)
    }
    let full = try GenerationSession(model, GenerationFixtures.exact(50), capacity: 10)
    try full.prefill([0, 53, 675])
    #expect(try full.rest().count == 7)
    #expect(full.end == .capacity)
    // Every token ends.
    let ended = try GenerationSession(
      decoder: model.decoder, ends: Set(0..<1024), options: GenerationFixtures.exact(50))
    try ended.prefill([0, 53])
    #expect(try ended.rest().count == 1)
    #expect(ended.end == .token)
  }

  @Test func promptsThatDoNotFitAreRefused() throws {
    let model = try GenerationFixtures.tiny.get()
    let session = try GenerationSession(model, GenerationFixtures.exact(5), capacity: 8)
    for prompt in [[], [1024], [-1], Array(repeating: 1, count: 9), [Int.max]] {
      #expect(throws: ModelError.self, "\(prompt)") { try session.prefill(prompt) }
    }
    try session.prefill(Array(repeating: 1, count: 8))
    #expect(throws: ModelError.self) { try session.prefill([1]) }
    #expect(try session.next() == nil)
    for capacity in [0, -1, 1025] {
      #expect(throws: ModelError.self) {
        try GenerationSession(model, GenerationOptions(), capacity: capacity)
      }
    }
    for options in [
      GenerationOptions(maximumTokens: -1), GenerationOptions(window: 0), GenerationOptions(stops: [""]),
    ] {
      #expect(throws: ModelError.self) { try GenerationSession(model, options) }
    }
    var largest = GenerationOptions(maximumTokens: 2, window: .max)
    (largest.chunk, largest.keptTokens) = (.max, .max)
    #expect(try alone(model, [0, 53], largest).count == 2)
  }

  @Test func aPromptCanBeGivenUp() throws {
    let model = try GenerationFixtures.tiny.get()
    var options = GenerationFixtures.exact(5)
    options.chunk = 10
    let session = try GenerationSession(model, options)
    #expect(try !session.prefill(prompt) { $0 < 30 })
    #expect(session.tokens == Array(prompt[..<30]))
    try session.prefill(Array(prompt[30...]))
    #expect(try session.rest() == alone(model, prompt, options))
  }

  @Test func emptyPromptsBecomeTheBeginToken() throws {
    let model = try GenerationFixtures.tiny.get()
    #expect(try model.tokens(of: "") == [0])
    #expect(throws: ModelError.self) { try model.tokens(of: "", addingSpecialTokens: false) }
  }

  @Test func tokenizersOfOtherModelsAreRefused() throws {
    let tiny = try GenerationFixtures.tiny.get(), smol = try GenerationFixtures.smolFloat.get()
    for (decoder, tokenizer) in [(tiny.decoder, smol.tokenizer), (smol.decoder, tiny.tokenizer)] {
      let error = #expect(throws: ModelError.self) { try LanguageModel(decoder, tokenizer, path: "mixed") }
      #expect(error?.description.contains("1024") == true && error?.description.contains("49152") == true)
    }
  }
}
