import Attention
import AttentionReference
import Foundation
import LinearAlgebra
import TensorFiles
import Testing

/// A call of PyTorch's multi-head attention and its result, as `Fixtures/make_multihead_cases.py` stored them.
struct MultiHeadFixture: Sendable, CustomStringConvertible {
  let path: String

  var description: String { String(path.split(separator: "/").last ?? "") }

  static let all: [MultiHeadFixture] = {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Fixtures/multihead").path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().map { MultiHeadFixture(path: "\(folder)/\($0)") }
  }()
}

@Suite struct MultiHeadAttentionPyTorchTests {
  @Test func allFixturesAreThere() {
    #expect(MultiHeadFixture.all.count == 10)
  }

  @Test(arguments: MultiHeadFixture.all)
  func matchesPyTorch(fixture: MultiHeadFixture) throws {
    let file = try SafetensorsFile(path: fixture.path)
    if try #require(file["query"]).elementType == .float32 {
      try check(file, Float.self, "\(fixture)")
    }
    // Numbers of Float32 are exact in Double, where the answer is PyTorch's in float64.
    try check(file, Double.self, "\(fixture)")
  }

  private func check<E: AttentionElement & BLASScalar>(
    _ file: SafetensorsFile, _: E.Type, _ context: String
  ) throws {
    let attention = try module(file, E.self)
    func tensor(_ name: String) throws -> Tensor<E>? {
      file[name] == nil ? nil : try file.tensor(name, convertedTo: E.self)
    }
    let queries = try #require(try tensor("query"))
    let heads = try attention.project(queries, keys: tensor("key"), values: tensor("value"))
    let keyValues = KeyValues(keys: heads.keys, values: heads.values, lengths: keyLengths(file))
    let result = try attention.attend(
      heads.queries, keyValues, with: ScaledDotProductAttention(mask: mask(file)))

    let exact: Tensor<Double> = try file.tensor("expected64")
    let keys = try (tensor("key") ?? queries).shape
    let terms =
      attention.keyProjection.inputWidth + attention.headDimension + keys[1]
      + attention.outputProjection.inputWidth
    let tolerance = multiHeadTolerance(E.self, terms: terms)
    let worst = tolerance.worstMismatch(result, expected: exact)
    #expect(worst == nil, "\(E.self), \(context)")
    // PyTorch's own result in the file's type is as far off as ours may be.
    if file["expected"]?.elementType == E.elementType {
      let expected: Tensor<E> = try file.tensor("expected")
      let twice = Tolerance(absolute: 2 * tolerance.absolute)
      let worst = twice.worstMismatch(result, expected: expected)
      #expect(worst == nil, "PyTorch's \(E.self), \(context)")
    }
  }

  /// The module by PyTorch's names; grouped heads, which PyTorch has no module for, by projections in its layout.
  private func module<E: AttentionElement & BLASScalar>(
    _ file: SafetensorsFile, _: E.Type
  ) throws -> MultiHeadAttention<E> {
    var state: [String: Tensor<E>] = [:]
    for name in file.names where name.contains("proj") {
      state["layers.0." + name] = try file.tensor(name, convertedTo: E.self)
    }
    let heads = try #require(file.metadata["heads"].flatMap { Int($0) })
    guard let grouped = file.metadata["key_value_heads"].flatMap({ Int($0) }) else {
      return try MultiHeadAttention(pyTorch: state, prefix: "layers.0.", heads: heads)
    }
    func projection(_ name: String) throws -> Projection<E> {
      try Projection(
        transposed: #require(state["layers.0.\(name)_proj.weight"]), bias: state["layers.0.\(name)_proj.bias"]
      )
    }
    return try MultiHeadAttention(
      queryHeads: heads, keyValueHeads: grouped, queries: projection("q"), keys: projection("k"),
      values: projection("v"), output: projection("o")
    ).fused()
  }

  private func keyLengths(_ file: SafetensorsFile) -> [Int]? {
    file.metadata["key_lengths"].map { $0.split(separator: ",").compactMap { Int($0) } }
  }

  private func mask(_ file: SafetensorsFile) throws -> AttentionMask {
    var mask = file.metadata["mask"] == "causal" ? AttentionMask.causal : .none
    if file["attn_mask"] != nil {
      let added: Tensor<Double> = try file.tensor("attn_mask", convertedTo: Double.self)
      mask = mask & .additive(added)
    }
    return mask
  }
}
