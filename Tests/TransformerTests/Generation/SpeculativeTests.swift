import LinearAlgebra
import Testing

@testable import Transformer

@Suite(.serialized) struct SpeculativeTests {
  /// The tiny model that sees twelve tokens: a draft that is often right, and often wrong.
  private func draft() throws -> LanguageModel {
    let model = try GenerationFixtures.tiny.get()
    return try LanguageModel(
      model.decoder.windowed(12, keepingFirst: 0), model.tokenizer, path: "short-sighted")
  }

  private func tokens(_ generator: SpeculativeGenerator, _ prompt: [Int]) throws -> [Int] {
    try generator.prefill(prompt)
    return try generator.rest()
  }

  @Test(arguments: [1, 2, 4, 9]) func tokensAreThoseOfTheModel(proposals: Int) throws {
    let model = try GenerationFixtures.tiny.get()
    let draft = try draft()
    var (agreed, proposed) = (0, 0)
    for one in try GenerationFixtures.tinyCases.get() {
      let generator = try SpeculativeGenerator(
        model, draft: draft, GenerationFixtures.exact(64), proposalCount: proposals)
      #expect(
        try tokens(generator, one.tokenIds) == one.greedyTokenIds,
        "after \(one.prompt), \(proposals) at a time")
      #expect(generator.end == .maximum)
      agreed += generator.agreedCount
      proposed += generator.proposedCount
    }
    #expect(agreed > proposed / 8 && agreed < proposed * 7 / 8, "\(agreed) of \(proposed) agreed on")
  }

  @Test func aModelAgreesWithItself() throws {
    let model = try GenerationFixtures.tiny.get()
    let one = try GenerationFixtures.tinyCases.get()[6]
    let generator = try SpeculativeGenerator(model, draft: model, GenerationFixtures.exact(64))
    #expect(try tokens(generator, one.tokenIds) == one.greedyTokenIds)
    #expect(generator.agreedCount == generator.proposedCount && generator.agreedCount > 40)
  }

  @Test func sampledTokensAreThoseOfTheModel() throws {
    let model = try GenerationFixtures.tiny.get()
    let draft = try draft()
    for seed: UInt64 in 0..<8 {
      var options = GenerationFixtures.exact(40)
      options.sampling = SamplingOptions(temperature: 0.8, topK: 20, repetitionPenalty: 1.1, seed: seed)
      let prompt = [0, 53, 675, 326, 222]
      let generator = try SpeculativeGenerator(model, draft: draft, options)
      #expect(try tokens(generator, prompt) == alone(model, prompt, options), "seed \(seed)")
    }
  }

  @Test(arguments: [6, 7, 8, 9, 10, 11]) func endsAtTheCapacity(capacity: Int) throws {
    let model = try GenerationFixtures.tiny.get()
    let prompt = [0, 53, 675, 326, 222]
    let generator = try SpeculativeGenerator(
      model, draft: draft(), GenerationFixtures.exact(100), capacity: capacity)
    #expect(try tokens(generator, prompt).count == capacity - prompt.count)
    #expect(generator.end == .capacity)
  }

  @Test func otherVocabulariesAreRefused() throws {
    let smol = try GenerationFixtures.smolFloat.get()
    let error = #expect(throws: ModelError.self) {
      try SpeculativeGenerator(smol, draft: GenerationFixtures.tiny.get(), GenerationOptions())
    }
    #expect(error?.description.contains("1024") == true && error?.description.contains("49152") == true)
    #expect(throws: ModelError.self) {
      try SpeculativeGenerator(smol, draft: smol, GenerationOptions(window: 8))
    }
  }

  @Test func smolLM2() throws {
    let model = try GenerationFixtures.smolFloat.get()
    let draft = try LanguageModel(path: GenerationFixtures.model(GenerationFixtures.smolPath), weights: .int8)
    for (index, text) in try GenerationFixtures.read("smollm2.json", as: [GenerationFixtures.Text].self)
      .enumerated()
    {
      var options = GenerationFixtures.exact(text.continuation.count)
      options.stopsAtEnd = false
      let generator = try SpeculativeGenerator(model, draft: draft, options, capacity: text.ids.count + 32)
      expectGreedy(try tokens(generator, text.ids), text.continuation, margins: text.margins, "text \(index)")
    }
  }
}
