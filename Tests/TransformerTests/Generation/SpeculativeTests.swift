import Attention
import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import TestSupport
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

  /// The tiny model with NaN in the row that goes in for a token; its logits are made by a matrix of their own.
  private func poisoned(_ token: Int) throws -> LanguageModel {
    let directory = try TemporaryDirectory()
    let weights = try SafetensorsFile(path: GenerationFixtures.tinyPath + "/model.safetensors")
    var writer = SafetensorsWriter()
    for name in weights.names {
      let tensor = try weights.tensor(name, convertedTo: Float.self)
      guard name == "model.embed_tokens.weight" else { try writer.add(name, tensor); continue }
      try writer.add("lm_head.weight", tensor)
      var elements = tensor.elements
      elements[token * tensor.shape[1]] = .nan
      try writer.add(name, Tensor(elements, shape: tensor.shape))
    }
    try writer.write(to: directory.file("model.safetensors"))
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        atPath: "\(GenerationFixtures.tinyPath)/\(name)", toPath: directory.file(name))
    }
    let configuration = try String(
      contentsOfFile: GenerationFixtures.tinyPath + "/config.json", encoding: .utf8)
    try configuration.replacing("\"tie_word_embeddings\": true", with: "\"tie_word_embeddings\": false")
      .write(toFile: directory.file("config.json"), atomically: true, encoding: .utf8)
    return try withExtendedLifetime(directory) {
      try LanguageModel(path: directory.path, weights: .float32)
    }
  }

  /// Logits become NaN behind a token that is generated: tokens and errors are those of the model alone, however often it is asked.
  @Test(arguments: [1, 4]) func errorsComeWhereTheyComeAlone(proposals: Int) throws {
    let draft = try draft()
    for one in try GenerationFixtures.tinyCases.get() {
      let seen = Set(one.tokenIds)
      guard
        let place = one.greedyTokenIds.indices.first(where: {
          $0 >= 9 && !seen.union(one.greedyTokenIds[..<$0]).contains(one.greedyTokenIds[$0])
        })
      else { continue }
      let model = try poisoned(one.greedyTokenIds[place])
      let generator = try SpeculativeGenerator(
        model, draft: draft, GenerationFixtures.exact(64), proposalCount: proposals)
      try generator.prefill(one.tokenIds)
      var tokens: [Int] = []
      for _ in 0...place { tokens.append(try #require(try generator.next())) }
      #expect(tokens == Array(one.greedyTokenIds[...place]), "after \(one.prompt)")
      for _ in 0..<3 {
        let error = #expect(throws: ModelError.self) { try generator.next() }
        #expect(error?.subject == "logits")
      }
      #expect(generator.tokens == one.tokenIds + tokens)
    }
  }

  /// The draft fails, behind a pass of the model and in the middle of text, while someone else has a step open on its cache.
  @Test func goesOnAfterTheDraftFailed() throws {
    let model = try GenerationFixtures.tiny.get()
    for one in try GenerationFixtures.tinyCases.get() {
      let generator = try SpeculativeGenerator(model, draft: draft(), GenerationFixtures.exact(64))
      func expectFailure(_ call: () throws -> Void) throws {
        let step = try KeyValueStep([generator.draftSequence], appending: [[1]])
        for _ in 0..<2 { #expect(throws: ModelError.self, "after \(one.prompt)") { try call() } }
        step.cancel()
      }
      try expectFailure { try generator.prefill(one.tokenIds, scoring: true) }
      try generator.prefill(one.tokenIds, scoring: true)
      let alone = try GenerationSession(model, GenerationFixtures.exact(1))
      try alone.prefill(one.tokenIds, scoring: true)
      #expect(generator.negativeLogLikelihood == alone.negativeLogLikelihood, "after \(one.prompt)")
      var tokens = [try #require(try generator.next())]
      try expectFailure { _ = try generator.next() }
      tokens += try generator.rest()
      #expect(tokens == one.greedyTokenIds, "after \(one.prompt)")
    }
  }

  @Test func aPromptGoesOnAfterAnError() throws {
    let model = try GenerationFixtures.tiny.get()
    let one = try GenerationFixtures.tinyCases.get()[6]
    var options = GenerationFixtures.exact(64)
    options.chunk = 2
    let generator = try SpeculativeGenerator(model, draft: draft(), options)
    #expect(try !generator.prefill(one.tokenIds) { $0 < 2 })
    #expect(throws: ModelError.self) { try generator.prefill([Int.max]) }
    try generator.prefill(Array(one.tokenIds[generator.tokens.count...]))
    #expect(try generator.rest() == one.greedyTokenIds)
    #expect(generator.timings.promptTokens == one.tokenIds.count)
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
