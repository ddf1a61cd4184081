import Attention
import Testing

/// What multi-head attention refuses: the argument is named, with what was given and what it has to fit.
@Suite struct MultiHeadAttentionErrorTests {
  private typealias Weights = Projection<Float>

  /// `Hq` 4, `Hkv` 2, `D` 5, `Dv` 3; hidden states of width 11 to 13.
  private func attention() throws -> MultiHeadAttention<Float> {
    try MultiHeadAttention(
      queryHeads: 4, keyValueHeads: 2, queries: weight(11, 20), keys: weight(8, 10), values: weight(9, 6),
      output: weight(12, 13))
  }

  private func weight(_ rows: Int, _ columns: Int) throws -> Weights {
    try Projection(weight: .zeros([rows, columns]))
  }

  private func expectError<Result>(
    _ argument: String, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
    from body: () throws -> Result
  ) {
    let error = #expect(throws: AttentionError.self, sourceLocation: sourceLocation) { _ = try body() }
    #expect(error?.argument == argument, sourceLocation: sourceLocation)
    for part in parts {
      #expect(
        error?.reason.contains(part) == true, "\(error?.reason ?? "") has no \(part)",
        sourceLocation: sourceLocation)
    }
  }

  @Test func refusesWeightsThatDoNotFit() throws {
    expectError("weight", "[3]") { try Projection<Float>(weight: .zeros([3])) }
    expectError("weight", "[2, 3, 4]") { try Projection<Float>(transposed: .zeros([2, 3, 4])) }
    expectError("bias", "[3]", "[4]") { try Weights(weight: .zeros([3, 4]), bias: .zeros([3])) }
    expectError("bias", "[4]", "[3]", "[3, 4]") {
      try Weights(transposed: .zeros([3, 4]), bias: .zeros([4]))
    }
    let tooWide = try Tensor<Float>.zeros([1, 1]).broadcast(to: [1, 1 << 31])
    expectError("weight", "\(1 << 31)") { try Weights(weight: tooWide) }
    let hugeView = try Tensor<Float>.zeros([1, 1]).broadcast(to: [1 << 30, 1 << 30])
    expectError("weight", "memory") { try Weights(weight: hugeView) }
    expectError("input", "[2, 5]", "[6, 4]") { try weight(6, 4)(.zeros([2, 5])) }
    expectError("input", "[]") { try weight(6, 4)(Tensor(repeating: 1, shape: [])) }
    let manyRows = try Tensor<Float>.zeros([1, 2]).broadcast(to: [1 << 50, 2])
    expectError("input", "\(1 << 50)") { try weight(2, 1 << 20)(manyRows) }
  }

  @Test func refusesHeadsThatDoNotFit() throws {
    func make(
      _ heads: Int, _ grouped: Int?, _ q: (Int, Int), _ k: (Int, Int), _ v: (Int, Int), _ o: (Int, Int)
    ) throws -> MultiHeadAttention<Float> {
      try MultiHeadAttention(
        queryHeads: heads, keyValueHeads: grouped, queries: weight(q.0, q.1), keys: weight(k.0, k.1),
        values: weight(v.0, v.1), output: weight(o.0, o.1))
    }
    expectError("queryHeads", "0") { try make(0, nil, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectError("queryHeads", "-2") { try make(-2, nil, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectError("keyValueHeads", "3", "4") { try make(4, 3, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectError("keyValueHeads", "0") { try make(4, 0, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectError("queries", "[4, 6]", "4 heads") { try make(4, 2, (4, 6), (4, 4), (4, 4), (4, 4)) }
    expectError("queries", "[4, 0]") { try make(4, 2, (4, 0), (4, 4), (4, 4), (4, 4)) }
    expectError("keys", "[4, 4]", "[4, 4]", "2 heads") { try make(4, 2, (4, 4), (4, 4), (4, 4), (8, 4)) }
    expectError("values", "[4, 3]") { try make(4, 2, (4, 4), (4, 2), (4, 3), (8, 4)) }
    expectError("output", "[7, 4]", "[8, outputWidth]", "[4, 4]") {
      try make(4, 2, (4, 4), (4, 2), (4, 4), (7, 4))
    }
    func fuse(_ heads: Int, _ grouped: Int, _ fused: (Int, Int), _ o: (Int, Int)) throws
      -> MultiHeadAttention<Float>
    {
      try MultiHeadAttention(
        queryHeads: heads, keyValueHeads: grouped, fused: weight(fused.0, fused.1), output: weight(o.0, o.1))
    }
    expectError("output", "[7, 4]") { try fuse(4, 2, (4, 36), (7, 4)) }
    expectError("fused", "[4, 35]", "[12, 4]") { try fuse(4, 2, (4, 35), (12, 4)) }
    expectError("fused", "[4, 6]", "[12, 4]") { try fuse(4, 2, (4, 6), (12, 4)) }
    expectError("output", "heads") { try fuse(.max, 1, (4, 6), (12, 4)) }
    expectError("keys", "[8, 10]", "[11, 20]") { try attention().fused() }
  }

  @Test func refusesInputsThatDoNotFit() throws {
    let attention = try attention()
    let (q, k, v) = (
      Tensor<Float>.zeros([2, 3, 11]), Tensor<Float>.zeros([2, 4, 8]), Tensor<Float>.zeros([2, 4, 9])
    )
    #expect(try attention(q, keys: k, values: v).shape == [2, 3, 13])
    expectError("queries", "[3, 11]", "[11, 20]") { try attention(.zeros([3, 11]), keys: k, values: v) }
    expectError("queries", "[2, 3, 8]", "[11, 20]") { try attention(.zeros([2, 3, 8]), keys: k, values: v) }
    expectError("keys", "[2, 3, 11]", "[8, 10]") { try attention(q) }
    expectError("values", "[2, 4, 8]", "[9, 6]") { try attention(q, keys: k) }
    expectError("keys", "[1, 4, 8]", "[2, 3, 11]") { try attention(q, keys: .zeros([1, 4, 8]), values: v) }
    expectError("values", "[2, 5, 9]", "[2, 4, 8]") { try attention(q, keys: k, values: .zeros([2, 5, 9])) }
    expectError("values", "[1, 4, 9]", "[2, 4, 8]") { try attention(q, keys: k, values: .zeros([1, 4, 9])) }
    expectError("scale", "nan") { try attention(q, keys: k, values: v, scale: .nan) }
    expectError("mask") { try attention(q, keys: k, values: v, mask: .keyLengths([5, 5])) }
    expectError("heads", "[2, 3, 3, 3]", "[B, 4, Tq, 3]") { try attention.output(of: .zeros([2, 3, 3, 3])) }
    expectError("heads", "[2, 4, 3, 4]") { try attention.output(of: .zeros([2, 4, 3, 4])) }
    let heads = try attention.project(q, keys: k, values: v)
    expectError("queries", "[2, 2, 4, 5]", "4") {
      try attention.attend(queries: heads.keys, keys: heads.keys, values: heads.values)
    }
    expectError("values", "[2, 2, 4, 5]", "3") {
      try attention.attend(queries: heads.queries, keys: heads.keys, values: heads.keys)
    }
  }

  @Test func refusesHeadsThatAreNotItsOwn() throws {
    // All of these fit each other: attention alone would take them.
    let attention = try attention()
    func attend(_ q: Shape, _ k: Shape, _ v: Shape) throws -> Shape {
      try attention.attend(queries: .zeros(q), keys: .zeros(k), values: .zeros(v)).shape
    }
    #expect(try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) == [2, 3, 13])
    expectError("queries", "[2, 4, 3, 7]", "[B, 4, Tq, 5]") {
      try attend([2, 4, 3, 7], [2, 2, 6, 7], [2, 2, 6, 3])
    }
    expectError("queries", "[2, 2, 3, 5]") { try attend([2, 2, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) }
    expectError("queries", "[4, 3, 5]") { try attend([4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) }
    expectError("keys", "[2, 4, 6, 5]", "[B, 2, Tk, 5]") {
      try attend([2, 4, 3, 5], [2, 4, 6, 5], [2, 4, 6, 3])
    }
    expectError("keys", "[2, 1, 6, 5]") { try attend([2, 4, 3, 5], [2, 1, 6, 5], [2, 1, 6, 3]) }
    expectError("keys", "[2, 2, 6, 4]") { try attend([2, 4, 3, 5], [2, 2, 6, 4], [2, 2, 6, 3]) }
    expectError("keys", "[2, 2, 5]") { try attend([2, 4, 3, 5], [2, 2, 5], [2, 2, 6, 3]) }
    expectError("values", "[2, 2, 6, 5]", "[B, 2, Tk, 3]") {
      try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 5])
    }
    expectError("values", "[2, 1, 6, 3]") { try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 1, 6, 3]) }
    expectError("values", "[2, 2, 7, 3]") { try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 7, 3]) }
  }

  @Test func refusesPyTorchTensorsThatDoNotFit() throws {
    let whole: [String: Tensor<Float>] = [
      "a.in_proj_weight": .zeros([12, 4]), "a.in_proj_bias": .zeros([12]),
      "a.out_proj.weight": .zeros([4, 4]),
      "a.out_proj.bias": .zeros([4]), "b.bias_k": .zeros([1, 1, 4]),
    ]
    func make(_ changes: [String: Tensor<Float>?], heads: Int = 2) throws -> MultiHeadAttention<Float> {
      var state = whole
      for (name, tensor) in changes { state[name] = tensor }
      return try MultiHeadAttention(pyTorch: state, prefix: "a.", heads: heads)
    }
    #expect(try make([:]).headDimension == 2)
    expectError("a.out_proj.weight") { try make(["a.out_proj.weight": nil]) }
    expectError("a.in_proj_weight", "q_proj_weight") { try make(["a.in_proj_weight": nil]) }
    expectError("a.k_proj_weight") {
      try make(["a.in_proj_weight": nil, "a.q_proj_weight": .zeros([4, 4])])
    }
    expectError("a.in_proj_weight", "[11, 4]", "4") { try make(["a.in_proj_weight": .zeros([11, 4])]) }
    expectError("a.in_proj_bias", "[11]") { try make(["a.in_proj_bias": .zeros([11])]) }
    expectError("a.out_proj.bias", "[5]", "[4, 4]") { try make(["a.out_proj.bias": .zeros([5])]) }
    expectError("a.bias_k") { try make(["a.bias_k": .zeros([1, 1, 4])]) }
    expectError("output", "3 heads") { try make([:], heads: 3) }
  }
}
