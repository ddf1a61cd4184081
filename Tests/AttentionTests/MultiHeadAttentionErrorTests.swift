import Attention
import LinearAlgebra
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

  @Test func refusesWeightsThatDoNotFit() throws {
    expectRefusal(of: "weight", "[3]") { try Projection<Float>(weight: .zeros([3])) }
    expectRefusal(of: "weight", "[2, 3, 4]") { try Projection<Float>(transposed: .zeros([2, 3, 4])) }
    expectRefusal(of: "bias", "[3]", "[4]") { try Weights(weight: .zeros([3, 4]), bias: .zeros([3])) }
    expectRefusal(of: "bias", "[4]", "[3]", "[3, 4]") {
      try Weights(transposed: .zeros([3, 4]), bias: .zeros([4]))
    }
    let tooWide = try Tensor<Float>.zeros([1, 1]).broadcast(to: [1, 1 << 31])
    expectRefusal(of: "weight", "\(1 << 31)") { try Weights(weight: tooWide) }
    let hugeView = try Tensor<Float>.zeros([1, 1]).broadcast(to: [1 << 30, 1 << 30])
    expectRefusal(of: "weight", "memory") { try Weights(weight: hugeView) }
    expectRefusal(of: "input", "[2, 5]", "[6, 4]") { try weight(6, 4)(.zeros([2, 5])) }
    expectRefusal(of: "input", "[]") { try weight(6, 4)(Tensor(repeating: 1, shape: [])) }
    let manyRows = try Tensor<Float>.zeros([1, 2]).broadcast(to: [1 << 50, 2])
    expectRefusal(of: "input", "\(1 << 50)") { try weight(2, 1 << 20)(manyRows) }
  }

  @Test func refusesHeadsThatDoNotFit() throws {
    func make(
      _ heads: Int, _ grouped: Int?, _ q: (Int, Int), _ k: (Int, Int), _ v: (Int, Int), _ o: (Int, Int)
    ) throws -> MultiHeadAttention<Float> {
      try MultiHeadAttention(
        queryHeads: heads, keyValueHeads: grouped, queries: weight(q.0, q.1), keys: weight(k.0, k.1),
        values: weight(v.0, v.1), output: weight(o.0, o.1))
    }
    expectRefusal(of: "queryHeads", "0") { try make(0, nil, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "queryHeads", "-2") { try make(-2, nil, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "keyValueHeads", "3", "4") { try make(4, 3, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "keyValueHeads", "0") { try make(4, 0, (4, 4), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "queries", "[4, 6]", "4 heads") { try make(4, 2, (4, 6), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "queries", "[4, 0]") { try make(4, 2, (4, 0), (4, 4), (4, 4), (4, 4)) }
    expectRefusal(of: "keys", "[4, 4]", "[4, 4]", "2 heads") {
      try make(4, 2, (4, 4), (4, 4), (4, 4), (8, 4))
    }
    expectRefusal(of: "values", "[4, 3]") { try make(4, 2, (4, 4), (4, 2), (4, 3), (8, 4)) }
    expectRefusal(of: "output", "[7, 4]", "[8, outputWidth]", "[4, 4]") {
      try make(4, 2, (4, 4), (4, 2), (4, 4), (7, 4))
    }
    func fuse(_ heads: Int, _ grouped: Int, _ fused: (Int, Int), _ o: (Int, Int)) throws
      -> MultiHeadAttention<Float>
    {
      try MultiHeadAttention(
        queryHeads: heads, keyValueHeads: grouped, fused: weight(fused.0, fused.1), output: weight(o.0, o.1))
    }
    expectRefusal(of: "output", "[7, 4]") { try fuse(4, 2, (4, 36), (7, 4)) }
    expectRefusal(of: "fused", "[4, 35]", "[12, 4]") { try fuse(4, 2, (4, 35), (12, 4)) }
    expectRefusal(of: "fused", "[4, 6]", "[12, 4]") { try fuse(4, 2, (4, 6), (12, 4)) }
    expectRefusal(of: "output", "heads") { try fuse(.max, 1, (4, 6), (12, 4)) }
    expectRefusal(of: "keys", "[8, 10]", "[11, 20]") { try attention().fused() }
  }

  @Test func refusesInputsThatDoNotFit() throws {
    let attention = try attention()
    let (q, k, v) = (
      Tensor<Float>.zeros([2, 3, 11]), Tensor<Float>.zeros([2, 4, 8]), Tensor<Float>.zeros([2, 4, 9])
    )
    #expect(try attention(q, keys: k, values: v).shape == [2, 3, 13])
    expectRefusal(of: "queries", "[3, 11]", "[11, 20]") {
      try attention(.zeros([3, 11]), keys: k, values: v)
    }
    expectRefusal(of: "queries", "[2, 3, 8]", "[11, 20]") {
      try attention(.zeros([2, 3, 8]), keys: k, values: v)
    }
    expectRefusal(of: "keys", "[2, 3, 11]", "[8, 10]") { try attention(q) }
    expectRefusal(of: "values", "[2, 4, 8]", "[9, 6]") { try attention(q, keys: k) }
    expectRefusal(of: "keys", "[1, 4, 8]", "[2, 3, 11]") {
      try attention(q, keys: .zeros([1, 4, 8]), values: v)
    }
    expectRefusal(of: "values", "[2, 5, 9]", "[2, 4, 8]") {
      try attention(q, keys: k, values: .zeros([2, 5, 9]))
    }
    expectRefusal(of: "values", "[1, 4, 9]", "[2, 4, 8]") {
      try attention(q, keys: k, values: .zeros([1, 4, 9]))
    }
    expectRefusal(of: "scale", "nan") {
      try attention(q, keys: k, values: v, with: ScaledDotProductAttention(scale: .nan))
    }
    expectRefusal(of: "mask") {
      try attention(q, keys: k, values: v, with: ScaledDotProductAttention(mask: .window(left: -1)))
    }
    expectRefusal(of: "heads", "[2, 3, 3, 3]", "[B, 4, Tq, 3]") {
      try attention.output(of: .zeros([2, 3, 3, 3]))
    }
    expectRefusal(of: "heads", "[2, 4, 3, 4]") { try attention.output(of: .zeros([2, 4, 3, 4])) }
    let heads = try attention.project(q, keys: k, values: v)
    expectRefusal(of: "queries", "[2, 2, 4, 5]", "4") {
      try attention.attend(heads.keys, KeyValues(keys: heads.keys, values: heads.values))
    }
    expectRefusal(of: "values", "[2, 2, 4, 5]", "3") {
      try attention.attend(heads.queries, KeyValues(keys: heads.keys, values: heads.keys))
    }
  }

  @Test func refusesHeadsThatAreNotItsOwn() throws {
    // All of these fit each other: attention alone would take them.
    let attention = try attention()
    func attend(_ q: Shape, _ k: Shape, _ v: Shape) throws -> Shape {
      try attention.attend(
        Tensor<Float>.zeros(q), KeyValues(keys: Tensor<Float>.zeros(k), values: Tensor<Float>.zeros(v))
      ).shape
    }
    #expect(try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) == [2, 3, 13])
    expectRefusal(of: "queries", "[2, 4, 3, 7]", "[B, 4, Tq, 5]") {
      try attend([2, 4, 3, 7], [2, 2, 6, 7], [2, 2, 6, 3])
    }
    expectRefusal(of: "queries", "[2, 2, 3, 5]") { try attend([2, 2, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) }
    expectRefusal(of: "queries", "[4, 3, 5]") { try attend([4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 3]) }
    expectRefusal(of: "keys", "[2, 4, 6, 5]", "2 heads of width 5") {
      try attend([2, 4, 3, 5], [2, 4, 6, 5], [2, 4, 6, 3])
    }
    expectRefusal(of: "keys", "[2, 1, 6, 5]") { try attend([2, 4, 3, 5], [2, 1, 6, 5], [2, 1, 6, 3]) }
    expectRefusal(of: "keys", "[2, 2, 6, 4]") { try attend([2, 4, 3, 5], [2, 2, 6, 4], [2, 2, 6, 3]) }
    expectRefusal(of: "keys", "[2, 2, 5]") { try attend([2, 4, 3, 5], [2, 2, 5], [2, 2, 6, 3]) }
    expectRefusal(of: "values", "[2, 2, 6, 5]", "2 heads of width 3") {
      try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 6, 5])
    }
    expectRefusal(of: "values", "[2, 1, 6, 3]") { try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 1, 6, 3]) }
    expectRefusal(of: "values", "[2, 2, 7, 3]") { try attend([2, 4, 3, 5], [2, 2, 6, 5], [2, 2, 7, 3]) }
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
    expectRefusal(of: "a.out_proj.weight") { try make(["a.out_proj.weight": nil]) }
    expectRefusal(of: "a.in_proj_weight", "q_proj_weight") { try make(["a.in_proj_weight": nil]) }
    expectRefusal(of: "a.k_proj_weight") {
      try make(["a.in_proj_weight": nil, "a.q_proj_weight": .zeros([4, 4])])
    }
    expectRefusal(of: "a.in_proj_weight", "[11, 4]", "4") { try make(["a.in_proj_weight": .zeros([11, 4])]) }
    expectRefusal(of: "a.in_proj_bias", "[11]") { try make(["a.in_proj_bias": .zeros([11])]) }
    expectRefusal(of: "a.out_proj.bias", "[5]", "[4, 4]") { try make(["a.out_proj.bias": .zeros([5])]) }
    expectRefusal(of: "a.bias_k") { try make(["a.bias_k": .zeros([1, 1, 4])]) }
    expectRefusal(of: "output", "3 heads") { try make([:], heads: 3) }
  }
}
