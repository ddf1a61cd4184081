import TensorFiles
import Tensors
import Testing

@Suite struct RotaryCaseTests {
  // B 2, H 3, T 4, D 8, 6 positions.
  private let ids: [Int64] = [5, 0, 1, 1, 2, 3, 4, 0]

  /// What RotaryEmbedding makes of `[B, H, T, D]`, by definition; `angles(b, t)` is the row of the tables.
  private func exact<E: FloatingPointElement>(
    _ input: Tensor<E>, _ cosines: Tensor<E>, _ sines: Tensor<E>, isInterleaved: Bool,
    row: (_ sequence: Int, _ token: Int) -> Int
  ) -> Tensor<Double> {
    let pairs = cosines.shape[1]
    return Tensor(unsafeUninitializedShape: input.shape) { target in
      var next = 0
      for b in 0..<2 {
        for h in 0..<3 {
          for t in 0..<4 {
            var turned = (0..<8).map { input[b, h, t, $0].doubleValue }
            for pair in 0..<pairs {
              let (first, second) = isInterleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + pairs)
              let cosine = cosines[row(b, t), pair].doubleValue
              let sine = sines[row(b, t), pair].doubleValue
              let (x, y) = (turned[first], turned[second])
              turned[first] = x * cosine - y * sine
              turned[second] = x * sine + y * cosine
            }
            for value in turned {
              target.initializeElement(at: next, to: value)
              next += 1
            }
          }
        }
      }
    }
  }

  private func expectTurned<E: FloatingPointElement>(
    _: E.Type, pairs: Int, isInterleaved: Bool, isMerged: Bool, hasIDs: Bool
  ) throws {
    let input: Tensor<E> = randomTensor([2, 3, 4, 8], seed: 81)
    let rows = hasIDs ? 6 : 8
    let cosines: Tensor<E> = randomTensor([rows, pairs], seed: 82)
    let sines: Tensor<E> = randomTensor([rows, pairs], seed: 83)
    let expected = exact(input, cosines, sines, isInterleaved: isInterleaved) { b, t in
      hasIDs ? Int(ids[4 * b + t]) : 4 * b + t
    }
    var contents = CaseContents(["op": "RotaryEmbedding", "interleaved": isInterleaved ? "1" : "0"], [:])
    if pairs < 4 { contents.metadata["rotary_embedding_dim"] = "\(2 * pairs)" }
    if isMerged { contents.metadata["num_heads"] = "3" }
    contents.tensors["input"] = isMerged ? try input.mergeHeads() : input
    if hasIDs { contents.tensors["position_ids"] = try Tensor(ids, shape: [2, 4]) }
    contents.tensors["cos_cache"] = hasIDs ? cosines : try cosines.reshaped(to: [2, 4, pairs])
    contents.tensors["sin_cache"] = hasIDs ? sines : try sines.reshaped(to: [2, 4, pairs])
    let computed = try results(of: contents)
    let comment = "\(E.self), \(pairs) pairs, interleaved \(isInterleaved), merged \(isMerged), ids \(hasIDs)"
    try computed.expect(
      "output", E.elementType, near: isMerged ? expected.mergeHeads() : expected, comment)
    #expect(computed.names == ["output"], "\(comment)")
  }

  @Test(arguments: [false, true], [1, 2, 4]) func pairsAreTurned(isInterleaved: Bool, pairs: Int) throws {
    for isMerged in [false, true] {
      for hasIDs in [false, true] {
        try expectTurned(
          Float.self, pairs: pairs, isInterleaved: isInterleaved, isMerged: isMerged, hasIDs: hasIDs)
      }
    }
  }

  @Test func allTypesAreTurned() throws {
    try expectTurned(Double.self, pairs: 2, isInterleaved: false, isMerged: true, hasIDs: true)
    try expectTurned(Float16.self, pairs: 4, isInterleaved: true, isMerged: false, hasIDs: true)
    try expectTurned(BFloat16.self, pairs: 4, isInterleaved: false, isMerged: false, hasIDs: false)
  }

  @Test func flagsOverrideTheFile() throws {
    let tensors: [String: any WritableTensor] = [
      "input": randomTensor([1, 4, 24], seed: 84, as: Float.self),
      "cos_cache": randomTensor([1, 4, 2], seed: 85, as: Float.self),
      "sin_cache": randomTensor([1, 4, 2], seed: 86, as: Float.self),
    ]
    let attributes = ["interleaved": "1", "rotary_embedding_dim": "4", "num_heads": "3"]
    let expected = try results(
      of: CaseContents(attributes.merging(["op": "RotaryEmbedding"]) { $1 }, tensors)
    ).tensor("output", as: Float.self).elements
    let wrong = CaseContents(["interleaved": "0", "rotary_embedding_dim": "8", "num_heads": "1"], tensors)
    let flags = [
      "--interleaved", "--rotary-embedding-dim", "4", "--num-heads", "3", "--op", "RotaryEmbedding",
    ]
    #expect(try results(of: wrong, flags).tensor("output", as: Float.self).elements == expected)
  }

  /// `input [2, 3, 4, 8]` and tables of 6 positions.
  private static let good = CaseContents(
    ["op": "RotaryEmbedding"],
    [
      "input": Tensor<Float>.zeros([2, 3, 4, 8]), "cos_cache": Tensor<Float>.zeros([6, 4]),
      "sin_cache": Tensor<Float>.zeros([6, 4]), "position_ids": Tensor<Int64>.zeros([2, 4]),
    ])

  @Test func theUnchangedCaseRuns() throws {
    _ = try results(of: Self.good)
  }

  @Test(arguments: [
    BadCase("no input", names: "input: missing") { $0.tensors["input"] = nil },
    BadCase("no cosines", names: "cos_cache: missing") { $0.tensors["cos_cache"] = nil },
    BadCase("no sines", names: "sin_cache: missing") { $0.tensors["sin_cache"] = nil },
    BadCase("no positions", names: "cos_cache") { $0.tensors["position_ids"] = nil },
    BadCase(integers: "position_ids", [0, 1, 2, 3, 3, 4, 5, 6], [2, 4]),
    BadCase(integers: "position_ids", [0, 1, 2, 3, 3, 4, -1, 5], [2, 4]),
    BadCase(integers: "position_ids", [0, 1, 2, 3, 3, 4, .max, 5], [2, 4]),
    BadCase(integers: "position_ids", [0, 1, 2, 3]),
    BadCase(integers: "position_ids", [0, 1, 2, 3], [1, 4]),
    BadCase(tensor: "position_ids", [2, 4]),
    BadCase(tensor: "cos_cache", [6, 3]),
    BadCase(tensor: "cos_cache", [2, 4, 4]),
    BadCase(tensor: "cos_cache", [24]),
    BadCase(tensor: "sin_cache", [5, 4]),
    BadCase(tensor: "sin_cache", [6, 2]),
    BadCase("cosines in half precision", names: "cos_cache") {
      $0.tensors["cos_cache"] = Tensor<Float16>.zeros([6, 4])
    },
    BadCase("an input of integers", names: "input") {
      $0.tensors["input"] = Tensor<Int32>.zeros([2, 3, 4, 8])
      $0.tensors["cos_cache"] = Tensor<Int32>.zeros([6, 4])
      $0.tensors["sin_cache"] = Tensor<Int32>.zeros([6, 4])
    },
    BadCase(tensor: "input", [2, 4, 24]).naming("num_heads: missing"),
    BadCase(tensor: "input", [24, 8]),
    BadCase(tensor: "input", [2, 3, 4, 7]),
    BadCase(tensor: "input", [2, 3, 4, 0]),
    BadCase(attribute: "num_heads", "2"),
    BadCase(attribute: "rotary_embedding_dim", "3"),
    BadCase(attribute: "rotary_embedding_dim", "10"),
    BadCase(attribute: "rotary_embedding_dim", "6").naming("cos_cache"),
    BadCase(attribute: "interleaved", "yes"),
    BadCase(attribute: "is_causal", "1"),
    BadCase(tensor: "Q", [1]).naming("tensor \"Q\""),
  ]) func badCasesFailWithOneLineAndNoOutput(bad: BadCase) throws {
    try bad.expectFailure(of: Self.good)
  }
}
