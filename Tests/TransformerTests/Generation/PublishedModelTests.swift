import Attention
import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import Testing

@testable import Transformer

/// Models against logits, likelihoods and greedy tokens that were computed elsewhere from the same weights.
@Suite(.serialized) struct PublishedModelTests {
  /// A session behind a prompt that was scored.
  private func session(
    _ model: LanguageModel, _ ids: [Int], _ options: GenerationOptions
  ) throws -> GenerationSession {
    var options = options
    options.stopsAtEnd = false
    let session = try GenerationSession(
      model, options, capacity: min(model.decoder.context, ids.count + options.maximumTokens))
    try session.prefill(ids, scoring: true)
    return session
  }

  private func expectExact(
    _ model: LanguageModel, _ texts: [GenerationFixtures.Text], _ name: String
  ) throws {
    for (index, text) in texts.enumerated() {
      let comment = "\(name), text \(index)"
      let session = try session(model, text.ids, GenerationFixtures.exact(text.continuation.count))
      let nll = try #require(session.negativeLogLikelihood)
      #expect(abs(nll - text.nll) < 1e-3, "\(comment): nll \(nll), expected \(text.nll)")
      for pair in text.top8 {
        let logit = Double(session.logits[Int(pair[0])])
        #expect(
          abs(logit - pair[1]) < 2e-3, "\(comment): logit of \(pair[0]) is \(logit), expected \(pair[1])")
      }
      expectGreedy(try session.rest(), text.continuation, margins: text.margins, comment)
    }
  }

  private func expectNear(
    _ model: LanguageModel, _ texts: [GenerationFixtures.Text], _ cache: KeyValueType, _ name: String
  ) throws {
    for (index, text) in texts.enumerated() {
      let session = try session(
        model, text.ids, GenerationOptions(maximumTokens: 0, keys: cache, values: cache))
      let nll = try #require(session.negativeLogLikelihood)
      #expect(
        abs(nll / text.nll - 1) < 0.01, "\(name), text \(index): nll \(nll), expected \(text.nll) within 1 %")
    }
  }

  @Test func tinyLlama() throws {
    let model = try GenerationFixtures.tiny.get()
    let logits = try SafetensorsFile(path: GenerationFixtures.path("tiny-llama-logits.safetensors"))
    for (index, one) in try GenerationFixtures.tinyCases.get().enumerated() {
      let expected = try logits.tensor("logits.\(index)", convertedTo: Float.self)
      let session = try session(model, one.tokenIds, GenerationFixtures.exact(one.greedyTokenIds.count))
      let last = expected.selected(axis: 0, one.tokenIds.count - 1).elements
      let difference = zip(session.logits, last).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < 1e-3, "logits behind \(one.prompt)")
      let nll = try #require(session.negativeLogLikelihood)
      #expect(abs(nll - Self.nll(expected, one.tokenIds)) < 1e-4, "nll of \(one.prompt)")
      // No two logits were within a thousandth of each other.
      #expect(try session.rest() == one.greedyTokenIds, "after \(one.prompt)")
      #expect(one.smallestTop2Gap > 2e-3)
    }
  }

  /// By the definition, from logits that another program computed.
  private static func nll(_ logits: Tensor<Float>, _ ids: [Int]) -> Double {
    var sum = 0.0
    for (position, id) in ids.dropFirst().enumerated() {
      let row = logits.selected(axis: 0, position).elements.map(Double.init)
      sum -= row[id] - log(row.reduce(0) { $0 + exp($1) })
    }
    return sum / Double(ids.count - 1)
  }

  @Test func promptsOfTheTinyLlamaHaveItsBeginToken() throws {
    let model = try GenerationFixtures.tiny.get()
    for one in try GenerationFixtures.tinyCases.get() {
      var tokens = try model.tokens(of: one.prompt, addingSpecialTokens: false)
      if tokens.first != model.tokenizer.begin { tokens.insert(try #require(model.tokenizer.begin), at: 0) }
      #expect(tokens == one.tokenIds, "\(one.prompt)")
    }
  }

  @Test func smolLM2() throws {
    let texts = try GenerationFixtures.read("smollm2.json", as: [GenerationFixtures.Text].self)
    try expectExact(GenerationFixtures.smolFloat.get(), texts, "SmolLM2, float32")
  }

  @Test(arguments: [WeightType.bfloat16, .int8]) func smolLM2(weights: WeightType) throws {
    let texts = try GenerationFixtures.read("smollm2.json", as: [GenerationFixtures.Text].self)
    let model = try LanguageModel(
      path: GenerationFixtures.model(GenerationFixtures.smolPath), weights: weights)
    try expectNear(model, texts, .bfloat16, "SmolLM2, \(weights)")
  }

  @Test(arguments: [WeightType.float32, .bfloat16, .int8]) func gemma3(weights: WeightType) throws {
    let texts = try GenerationFixtures.read("gemma3.json", as: [GenerationFixtures.Text].self)
    let model = try LanguageModel(path: GenerationFixtures.model("gemma3-270m/model.gguf"), weights: weights)
    if weights == .float32 {
      try expectExact(model, texts, "Gemma 3, float32")
    } else {
      try expectNear(model, texts, .bfloat16, "Gemma 3, \(weights)")
    }
  }

  /// Token by token within a tolerance, over keys of two planes, beside a cache of Floats.
  @Test func withinATolerance() throws {
    let text = try GenerationFixtures.read("smollm2-long.json", as: GenerationFixtures.LongText.self)
    let model = try LanguageModel(
      path: GenerationFixtures.model(GenerationFixtures.smolPath), weights: .bfloat16)
    let ids = Array(text.ids.prefix(1200))
    let exact = try session(
      model, ids, GenerationOptions(maximumTokens: 0, keys: .float32, values: .float32))
    var options = GenerationOptions(maximumTokens: 0, keys: .planes, values: .int8, tolerance: 0.01)
    options.chunk = 1
    let bounded = try session(model, ids, options)
    let (expected, nll) = try (
      #require(exact.negativeLogLikelihood), #require(bounded.negativeLogLikelihood)
    )
    #expect(abs(nll / expected - 1) < 0.001, "nll \(nll), expected \(expected)")
    let share = bounded.lowByteReads.share
    #expect(share > 0 && share < 0.8, "\(share) of the low bytes read")
    #expect(exact.lowByteReads == LowByteReads())
  }

  /// What a cache of fewer bits costs over a text that is almost half the context.
  @Test(arguments: [(KeyValueType.int8, 0.005), (.bfloat16, 0.001)])
  func longText(cache: KeyValueType, tolerance: Double) throws {
    let text = try GenerationFixtures.read("smollm2-long.json", as: GenerationFixtures.LongText.self)
    let session = try session(
      GenerationFixtures.smolFloat.get(), text.ids,
      GenerationOptions(maximumTokens: 0, keys: cache, values: cache))
    let nll = try #require(session.negativeLogLikelihood)
    #expect(abs(nll / text.nll - 1) < tolerance, "\(cache): nll \(nll), expected \(text.nll)")
  }
}
