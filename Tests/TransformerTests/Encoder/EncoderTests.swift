import AttentionReference
import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import TestSupport
import Testing
import Transformer

/// The encoder against its formulas in Double.
@Suite struct EncoderTests {
  /// Sequences of 0 to 16 tokens.
  static let sequences: [[Int]] = [
    [2, 4, 3], [], [2, 3], [7], Array(repeating: 5, count: 16), [2, 8, 10, 13, 12, 1, 3], Array(0..<14),
  ]

  /// A Float's step is 6e-8; the longest sums have 20 terms, and norms keep numbers near 1 in each of the few layers.
  static let floatBound = 5e-6

  private func worstError(_ states: Tensor<Float>, _ model: TinyBERT, _ sequences: [[Int]] = sequences)
    -> Double
  {
    let exact = sequences.flatMap { model.states($0) }.flatMap { $0 }
    #expect(states.shape == [sequences.reduce(0) { $0 + $1.count }, model.width])
    return zip(states.elements, exact).map { abs(Double($0) - $1) }.max() ?? 0
  }

  @Test(arguments: ["gelu", "gelu_new", "silu"], [1, 2, 3])
  func givesWhatTheFormulasSay(activation: String, threads: Int) throws {
    for (width, heads) in [(12, 3), (15, 5), (64, 2), (7, 1)] {
      let model = TinyBERT(width: width, heads: heads, activation: activation, seed: UInt64(width))
      let folder = try model.folder()
      let encoder = try EncoderModel(path: folder.path, weights: .float32, on: Pools.of(threads))
      let error = try worstError(encoder.states(Self.sequences), model)
      #expect(error < Self.floatBound, "\(activation), width \(width), \(threads) threads: \(error)")
    }
  }

  @Test func halfWeightsAreRoundedOnceAndNothingElse() throws {
    var model = TinyBERT()
    let folder = try model.folder()
    let encoder = try EncoderModel(path: folder.path, weights: .float16)
    for (name, tensor) in model.tensors where tensor.rank == 2 && !name.hasPrefix("embeddings") {
      model.tensors[name] = tensor.converted(to: Float16.self).converted(to: Float.self)
    }
    let error = try worstError(encoder.states(Self.sequences), model)
    #expect(error < Self.floatBound, "\(error)")
  }

  /// Weights, inputs of products, queries, keys and values each lose up to 2⁻⁹ of their size to bfloat16, and blocks of Int8 up to
  /// 1/254 of their largest weight: some tens of such errors, of random signs, reach a state of size near 1.
  @Test(arguments: [WeightType.bfloat16, .int8]) func narrowWeightsStayNear(type: WeightType) throws {
    for width in [12, 15, 64] {
      let model = TinyBERT(width: width, heads: width == 64 ? 2 : 3, seed: 5)
      let folder = try model.folder()
      let encoder = try EncoderModel(path: folder.path, weights: type)
      let error = try worstError(encoder.states(Self.sequences), model)
      #expect(error < 0.1, "\(type), width \(width): \(error)")
      #expect(error > 1e-5, "\(type), width \(width): nothing was rounded")
    }
  }

  @Test(arguments: WeightType.allCases) func aSequenceHasTheSameBitsAloneAndAmongOthers(type: WeightType)
    throws
  {
    let folder = try TinyBERT(width: 15, heads: 5).folder()
    let encoder = try EncoderModel(path: folder.path, weights: type, on: Pools.three)
    let single = try EncoderModel(path: folder.path, weights: type, on: Pools.one)
    let together = try encoder.states(Self.sequences).elements
    let alone = try Self.sequences.flatMap { try single.states([$0]).elements }
    #expect(together.map(\.bitPattern) == alone.map(\.bitPattern))
  }

  @Test func namesMayHaveAPrefixAndTheOldNamesOfNorms() throws {
    let model = TinyBERT()
    let plain = try model.folder()
    let expected = try EncoderModel(path: plain.path, weights: .float32).states(Self.sequences).elements
    let old = { (name: String) in
      name.replacing("LayerNorm.weight", with: "LayerNorm.gamma").replacing(
        "LayerNorm.bias", with: "LayerNorm.beta")
    }
    for name in [{ "bert." + $0 }, { "bert." + old($0) }, old] {
      let folder = try model.folder(named: name)
      #expect(
        try EncoderModel(path: folder.path, weights: .float32).states(Self.sequences).elements == expected)
    }
  }

  @Test(arguments: WeightType.allCases) func aGGUFFileGivesTheSameBits(type: WeightType) throws {
    let model = TinyBERT()
    let directory = try model.folder()
    let path = try directory.write(model.gguf(), to: "model.gguf")
    let expected = try EncoderModel(path: directory.path, weights: type).states(Self.sequences).elements
    #expect(try EncoderModel(path: path, weights: type).states(Self.sequences).elements == expected)
    let file = try GGUFFile(bytes: model.gguf(), name: "memory")
    #expect(
      try EncoderModel(gguf: file, path: "memory", weights: type).states(Self.sequences).elements == expected)
  }

  @Test func nothingHasNoStates() throws {
    let folder = try TinyBERT().folder()
    let encoder = try EncoderModel(path: folder.path)
    #expect(try encoder.states([]).shape == [0, 12])
    #expect(try encoder.states([[], []]).shape == [0, 12])
  }

  @Test func refusesTokensThatItDoesNotHave() throws {
    let folder = try TinyBERT().folder()
    let encoder = try EncoderModel(path: folder.path)
    for (tokens, expected) in [
      ([[2, 3], [2, 14]], "tokens: 14 in sequence 1 given, expected 0..<14"),
      ([[-1]], "tokens: -1 in sequence 0 given, expected 0..<14"),
      ([[Int.max]], "tokens: \(Int.max) in sequence 0 given, expected 0..<14"),
      ([Array(repeating: 1, count: 17)], "tokens: 17 in sequence 0 given, expected at most 16"),
    ] {
      let error = #expect(throws: AttentionError.self) { _ = try encoder.states(tokens) }
      #expect(error?.description == expected)
    }
  }
}
