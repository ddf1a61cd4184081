import TensorFiles
import Tensors
import Testing

/// Integers mean the same in every width.
@Suite struct IntegerWidthTests {
  private static let types: [ElementType] = [.int64, .int32, .int8, .uint8]

  /// Numbers as a tensor of a type.
  private func tensor(_ numbers: [Int], _ shape: Shape, _ type: ElementType) throws -> any WritableTensor {
    switch type {
    case .int64: try Tensor(numbers.map { Int64($0) }, shape: shape)
    case .int32: try Tensor(numbers.map { Int32($0) }, shape: shape)
    case .int8: try Tensor(numbers.map { Int8($0) }, shape: shape)
    case .uint8: try Tensor(numbers.map { UInt8($0) }, shape: shape)
    case .float64, .float32, .float16, .bfloat16, .bool: throw TestSetupError("\(type) is no integer type")
    }
  }

  private struct TestSetupError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// Expects one result for all types.
  private func expectEqual(
    of name: String = "Y", _ numbers: [String: ([Int], Shape)], _ tensors: [String: any WritableTensor]
  ) throws {
    var first: [Float]?
    for type in Self.types {
      var contents = CaseContents(["is_causal": "1"], tensors)
      if name == "output" { contents.metadata = ["op": "RotaryEmbedding"] }
      for (name, (values, shape)) in numbers { contents.tensors[name] = try tensor(values, shape, type) }
      let values = try results(of: contents, [], "\(type)").tensor(name, as: Float.self).elements
      #expect(values == first ?? values, "\(type)")
      first = values
    }
  }

  @Test func lengths() throws {
    try expectEqual(
      ["nonpad_kv_seqlen": ([5, 0], [2])],
      [
        "Q": randomTensor([2, 2, 3, 4], seed: 1, as: Float.self),
        "K": randomTensor([2, 2, 7, 4], seed: 2, as: Float.self),
        "V": randomTensor([2, 2, 7, 4], seed: 3, as: Float.self),
      ])
  }

  @Test func boundaries() throws {
    try expectEqual(
      ["cu_seqlens_q": ([0, 2, 5], [3]), "cu_seqlens_k": ([0, 4, 7], [3])],
      [
        "Q": randomTensor([5, 2, 4], seed: 1, as: Float.self),
        "K": randomTensor([7, 2, 4], seed: 2, as: Float.self),
        "V": randomTensor([7, 2, 4], seed: 3, as: Float.self),
      ])
  }

  @Test func positions() throws {
    try expectEqual(
      of: "output", ["position_ids": ([4, 0, 2], [1, 3])],
      [
        "input": randomTensor([1, 2, 3, 4], seed: 1, as: Float.self),
        "cos_cache": randomTensor([5, 2], seed: 2, as: Float.self),
        "sin_cache": randomTensor([5, 2], seed: 3, as: Float.self),
      ])
  }

  private static let paged: [String: any WritableTensor] = [
    "Q": randomTensor([2, 2, 3, 4], seed: 1, as: Float.self),
    "K": randomTensor([5, 4, 2, 4], seed: 2, as: Float.self),
    "V": randomTensor([5, 4, 2, 4], seed: 3, as: Float.self),
  ]

  @Test func pages() throws {
    let table = ([1, 4, 0, 3], [2, 2] as Shape)
    try expectEqual(["block_table": table], Self.paged)
    try expectEqual(["block_table": table, "nonpad_kv_seqlen": ([5, 7], [2])], Self.paged)
  }

  /// Whatever a table has past a sequence's length.
  @Test(
    arguments: [
      (.int64, [Int.min, .max, 1 << 31, 1 << 32, -1, 5]), (.int32, [-1 << 31, (1 << 31) - 1, -1, 5]),
      (.int8, [-128, 127, 5]), (.uint8, [255, 128, 5]),
    ] as [(ElementType, [Int])])
  func entriesPastALengthAreNotLookedAt(type: ElementType, garbage: [Int]) throws {
    func contents(_ past: [Int]) throws -> CaseContents {
      var contents = CaseContents(["is_causal": "1"], Self.paged)
      contents.tensors["nonpad_kv_seqlen"] = try tensor([4, 0], [2], .int64)
      contents.tensors["block_table"] = try tensor([3, past[0], past[1], past[2]], [2, 2], type)
      return contents
    }
    let expected = try results(of: contents([0, 0, 0])).tensor("Y", as: Float.self).elements
    for number in garbage {
      let computed = try results(of: contents([number, number, number]), [], "\(number)")
      #expect(try computed.tensor("Y", as: Float.self).elements == expected, "\(type) \(number)")
    }
  }
}
