import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import TestSupport
import Testing
import Transformer

/// The published all-MiniLM-L6-v2 against what sentence-transformers makes of 21 texts, computed in Float64.
@Suite struct SentenceEncoderTests {
  private struct Sentence: Decodable {
    let text: String
    let token_ids: [Int]
  }

  private static func sentences() throws -> [Sentence] {
    try JSONDecoder().decode([Sentence].self, from: Data(TokenizerFixtures.bytes("minilm-sentences.json")))
  }

  private static func truth() throws -> Tensor<Float> {
    try SafetensorsFile(bytes: TokenizerFixtures.bytes("minilm-embeddings.safetensors")).tensor("embeddings")
  }

  private static func miniLM(_ weights: WeightType) throws -> SentenceEncoder {
    let configuration = try TokenizerFixtures.model("all-minilm-l6-v2/config.json")
    return try SentenceEncoder(
      path: URL(fileURLWithPath: configuration).deletingLastPathComponent().path, weights: weights)
  }

  @Test func readsWhatTheFilesSay() throws {
    let encoder = try Self.miniLM(.bfloat16)
    #expect(encoder.longest == 256 && encoder.width == 384 && encoder.isNormalized)
    #expect(encoder.pooling == .mean)
    for sentence in try Self.sentences() {
      #expect(encoder.tokens(of: sentence.text) == sentence.token_ids, "\(sentence.text)")
    }
  }

  @Test func embeddingsAreThoseOfSentenceTransformers() throws {
    let (texts, truth) = (try Self.sentences().map(\.text), try Self.truth())
    let vectors = try Self.miniLM(.float32).encode(texts)
    #expect(vectors.shape == [21, 384])
    for (row, text) in texts.enumerated() {
      let worst = (0..<384).map { abs(vectors[row, $0] - truth[row, $0]) }.max() ?? 0
      #expect(worst < 2e-5, "\(text): \(worst)")
    }
  }

  /// Cosines with the truth, of weights that round: measured 0.99997 (bfloat16), 0.9999998 (float16) and 0.9996 (int8).
  @Test(arguments: [(WeightType.float16, 0.99999), (.bfloat16, 0.999), (.int8, 0.999)])
  func roundedWeightsHardlyTurnVectors(type: WeightType, least: Double) throws {
    let (texts, truth) = (try Self.sentences().map(\.text), try Self.truth())
    let vectors = try Self.miniLM(type).encode(texts)
    for (row, text) in texts.enumerated() {
      let cosine = (0..<384).reduce(0) { $0 + Double(vectors[row, $1]) * Double(truth[row, $1]) }
      #expect(cosine > least, "\(text): \(cosine)")
      let length = (0..<384).reduce(0) { $0 + Double(vectors[row, $1]) * Double(vectors[row, $1]) }
      #expect(abs(length - 1) < 1e-6, "\(text): \(length)")
    }
  }

  @Test(arguments: WeightType.allCases) func vectorsDoNotDependOnTheirBatch(type: WeightType) throws {
    let encoder = try Self.miniLM(type)
    var random = SplitMix(seed: 3)
    let words = try Self.sentences().flatMap { $0.text.split(separator: " ") }
    let texts = (0..<60).map { _ in
      (0..<random.int(0...60)).map { _ in String(random.pick(words)) }.joined(separator: " ")
    }
    let order = Array(texts.indices).sorted { texts[$0].utf8.count < texts[$1].utf8.count }
    let vectors = try encoder.encode(texts)
    let sorted = try encoder.encode(order.map { texts[$0] })
    for (place, text) in order.enumerated() {
      let row = vectors.selected(axis: 0, text).elements.map(\.bitPattern)
      #expect(sorted.selected(axis: 0, place).elements.map(\.bitPattern) == row, "\(texts[text])")
      if place.isMultiple(of: 7) {
        #expect(try encoder.encode([texts[text]]).elements.map(\.bitPattern) == row, "alone: \(texts[text])")
      }
    }
  }

  // MARK: - Small models

  private func tiny(_ files: [String: String], weights: WeightType = .float32) throws -> SentenceEncoder {
    let folder = try TinyBERT().folder(files: files)
    return try withExtendedLifetime(folder) { try SentenceEncoder(path: folder.path, weights: weights) }
  }

  /// The pooled vector in Double.
  private func expected(_ tokens: [Int], _ pooling: Pooling, normalized: Bool) -> [Double] {
    let states = TinyBERT().states(tokens)
    var vector = states[0]
    if pooling == .mean {
      vector = vector.indices.map { column in states.reduce(0) { $0 + $1[column] } / Double(states.count) }
    }
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return normalized ? vector.map { $0 / length } : vector
  }

  @Test(
    arguments: [
      (#"{"pooling_mode_mean_tokens": true}"#, Pooling.mean), (#"{"pooling_mode_cls_token": true}"#, .cls),
      (#"{"pooling_mode": "cls", "word_embedding_dimension": 12}"#, .cls),
      (#"{"pooling_mode": "mean"}"#, .mean),
      (#"{}"#, .mean),
    ], [true, false])
  func poolsAsTheFilesSay(pooling: (json: String, mode: Pooling), normalizes: Bool) throws {
    let encoder = try tiny(TinyBERT.modules(pooling: pooling.json, normalizes: normalizes))
    #expect(encoder.pooling == pooling.mode && encoder.isNormalized == normalizes)
    let texts = ["ab ba", "", "abba xx b", "AB  ba"]
    let vectors = try encoder.encode(texts)
    #expect(
      encoder.tokens(of: texts[0]) == [2, 4, 5, 3] && encoder.tokens(of: texts[2]) == [2, 4, 13, 1, 9, 3])
    for (row, text) in texts.enumerated() {
      let exact = expected(encoder.tokens(of: text), pooling.mode, normalized: normalizes)
      let worst = zip(vectors.selected(axis: 0, row).elements, exact).map { abs(Double($0) - $1) }.max() ?? 0
      #expect(worst < EncoderTests.floatBound, "\(text): \(worst)")
    }
  }

  @Test func aFolderWithoutModulesIsAveraged() throws {
    let encoder = try tiny([:])
    #expect(encoder.pooling == .mean && !encoder.isNormalized && encoder.longest == 16)
  }

  @Test func theEncoderMayLieInAFolderOfItsOwn() throws {
    let outer = try TemporaryDirectory(TinyBERT.modules())
    let list = try String(contentsOfFile: outer.file("modules.json"), encoding: .utf8)
    try outer.write(
      Array(list.replacing("\"path\": \"\"", with: "\"path\": \"0_Transformer\"").utf8), to: "modules.json")
    let inner = try TinyBERT().folder(files: ["sentence_bert_config.json": #"{"max_seq_length": 9}"#])
    try FileManager.default.copyItem(atPath: inner.path, toPath: outer.file("0_Transformer"))
    let encoder = try SentenceEncoder(path: outer.path)
    #expect(encoder.longest == 9 && encoder.isNormalized)
  }

  @Test func textsThatAreTooLongKeepTheTokenAtTheEnd() throws {
    let encoder = try tiny(TinyBERT.modules(longest: 5))
    #expect(encoder.longest == 5)
    #expect(encoder.tokens(of: "ab ba aa") == [2, 4, 5, 6, 3])
    #expect(encoder.tokens(of: "ab ba aa bb a b") == [2, 4, 5, 6, 3])
    #expect(try encoder.encode(["ab ba aa bb"]).elements == encoder.encode(["ab ba aa"]).elements)
    // A limit beyond the positions is that of the positions.
    #expect(try tiny(TinyBERT.modules(longest: 1 << 40)).longest == 16)
    let long = String(repeating: "ab ", count: 100_000)
    #expect(encoder.tokens(of: long) == [2, 4, 4, 4, 3])
  }

  @Test func manyTextsAreManyBatches() throws {
    let encoder = try tiny(TinyBERT.modules())
    let texts = (0..<3000).map { $0.isMultiple(of: 3) ? "ab ba" : $0.isMultiple(of: 5) ? "" : "abab b a ba" }
    let vectors = try encoder.encode(texts).elements
    let single = try ["ab ba", "", "abab b a ba"].map { try encoder.encode([$0]).elements }
    for index in texts.indices {
      let expected = single[index.isMultiple(of: 3) ? 0 : index.isMultiple(of: 5) ? 1 : 2]
      #expect(Array(vectors[index * 12..<(index + 1) * 12]) == expected, "text \(index)")
    }
    #expect(try encoder.encode([String]()).shape == [0, 12])
  }

  @Test func aGGUFFileGivesTheVectorsOfTheFolder() throws {
    let folder = try TinyBERT().folder(files: TinyBERT.modules())
    let path = try folder.write(TinyBERT().gguf(), to: "model.gguf")
    let texts = ["ab ba", "", "abba xx b"]
    let expected = try SentenceEncoder(path: folder.path).encode(texts).elements
    #expect(try SentenceEncoder(path: path).encode(texts).elements == expected)
    let cls = TinyBERT().gguf { metadata, _ in metadata["bert.pooling_type"] = .integer(2) }
    #expect(try SentenceEncoder(path: folder.write(cls, to: "cls.gguf")).pooling == .cls)
    let rank = TinyBERT().gguf { metadata, _ in metadata["bert.pooling_type"] = .integer(4) }
    let rankPath = try folder.write(rank, to: "rank.gguf")
    let error = #expect(throws: ModelError.self) { _ = try SentenceEncoder(path: rankPath) }
    #expect(error?.reason == "bert.pooling_type is 4, expected 1 (mean) or 2 (cls)")
  }

  // MARK: - Concurrency

  @Test func theAsynchronousCallGivesTheSameBits() async throws {
    let encoder = try tiny(TinyBERT.modules())
    let texts = (0..<2000).map { "ab ba \($0.isMultiple(of: 2) ? "a" : "b")" }
    let expected = try synchronous(encoder, texts).elements
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 { group.addTask { try await encoder.encode(texts).elements } }
      for try await vectors in group { #expect(vectors == expected) }
    }
    #expect(try await encoder.encode([String]()).shape == [0, 12])
  }

  private func synchronous(_ encoder: SentenceEncoder, _ texts: [String]) throws -> Tensor<Float> {
    try encoder.encode(texts)
  }

  @Test func aCancelledTaskEnds() async throws {
    let encoder = try tiny(TinyBERT.modules())
    let before = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await encoder.encode(["ab"])
    }
    await #expect(throws: CancellationError.self) { _ = try await before.value }
    // A minute of work.
    let long = [String](repeating: "ab ba ab ba ab ba ab ba ab ba", count: 2_000_000)
    let start = ContinuousClock.now
    let during = Task { try await encoder.encode(long) }
    try await Task.sleep(for: .milliseconds(20))
    during.cancel()
    await #expect(throws: CancellationError.self) { _ = try await during.value }
    #expect(ContinuousClock.now - start < .seconds(10))
  }
}
