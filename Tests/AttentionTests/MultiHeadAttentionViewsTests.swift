import Attention
import LinearAlgebra
import TestSupport
import Testing

/// What multi-head attention does not copy.
@Suite struct MultiHeadAttentionViewsTests {
  private let shape = MultiHeadShape(
    attention: ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 7, keys: 7, headDimension: 5,
      valueDimension: 3),
    widths: (11, 11, 11, 13))

  @Test func headsAreViewsOfOneProduct() throws {
    let attention = try MultiHeadOracle(shape).attention(Float.self).fused()
    let x = Tensor<Float>.normal([2, 7, 11], seed: 1)
    let heads = try attention.project(x)
    // Columns: 4·5 of queries, 2·5 of keys, 2·3 of values.
    let row = 36
    #expect(heads.queries.shape == [2, 4, 7, 5] && heads.queries.strides == [7 * row, 5, row, 1])
    #expect(heads.keys.shape == [2, 2, 7, 5] && heads.keys.strides == [7 * row, 5, row, 1])
    #expect(heads.values.shape == [2, 2, 7, 3] && heads.values.strides == [7 * row, 3, row, 1])
    #expect(distance(heads.queries, heads.keys) == 20 && distance(heads.queries, heads.values) == 30)
    // A tensor given thrice is one sequence, whether it is said or not.
    let thrice = try attention.project(x, keys: x, values: x)
    #expect(distance(thrice.queries, thrice.keys) == 20 && distance(thrice.queries, thrice.values) == 30)
    #expect(thrice.queries == heads.queries && thrice.keys == heads.keys && thrice.values == heads.values)
  }

  @Test func keysAndValuesOfAnotherSequenceShareAProduct() throws {
    let attention = try MultiHeadOracle(shape).attention(Float.self).fused()
    let (x, memory) = (Tensor<Float>.normal([2, 7, 11], seed: 1), Tensor<Float>.normal([2, 9, 11], seed: 2))
    let heads = try attention.project(x, keys: memory)
    #expect(heads.queries.strides == [7 * 20, 5, 20, 1])
    #expect(heads.keys.shape == [2, 2, 9, 5] && heads.keys.strides == [9 * 16, 5, 16, 1])
    #expect(heads.values.shape == [2, 2, 9, 3] && heads.values.strides == [9 * 16, 3, 16, 1])
    #expect(distance(heads.keys, heads.values) == 10)
    // Another part of the same memory is another sequence.
    let both = try Tensor.concatenate([x, x * 2], axis: 1)
    let parts = try attention.project(both.sliced(axis: 1, 0..<7), keys: both.sliced(axis: 1, 7..<14))
    #expect(parts.keys.strides == [7 * 16, 5, 16, 1])
    // Products of other sizes: equal up to rounding, on some CPUs.
    let tolerance = multiHeadTolerance(Float.self, terms: 11)
    let (first, second) = (try attention.project(x), try attention.project(x * 2))
    #expect(tolerance.worstMismatch(parts.queries, expected: first.queries) == nil)
    let worst = tolerance.worstMismatch(parts.keys, expected: second.keys)
    #expect(worst == nil)
  }

  @Test func weightsStayWhereTheyAre() throws {
    let (fused, output) = (Tensor<Float>.normal([36, 11], seed: 3), Tensor<Float>.normal([13, 12], seed: 4))
    let attention = try MultiHeadAttention(
      queryHeads: 4, keyValueHeads: 2, fused: Projection(transposed: fused),
      output: Projection(transposed: output))
    #expect(attention.headDimension == 5 && attention.valueDimension == 3)
    let whole = try #require(attention.fusedProjection)
    #expect(distance(fused, whole.weight) == 0 && distance(output, attention.outputProjection.weight) == 0)
    #expect(distance(fused, attention.queryProjection.weight) == 0)
    #expect(distance(fused, attention.keyProjection.weight) == 20 * 11)
    #expect(distance(fused, attention.valueProjection.weight) == 30 * 11)
    // Strides that a product reads where they are.
    for projection in [
      whole, attention.queryProjection, attention.keyProjection, attention.valueProjection,
      attention.outputProjection,
    ] {
      let weight = projection.weight
      let layout = MatrixLayout(
        rows: weight.shape[0], columns: weight.shape[1], rowStride: weight.strides[0],
        columnStride: weight.strides[1])
      #expect(layout?.isTransposed == true && layout?.leadingDimension == projection.inputWidth)
    }
    // Bringing separate weights together keeps the layout they have; one weight stays as it is.
    let again = try MultiHeadAttention(
      queryHeads: 4, keyValueHeads: 2, queries: attention.queryProjection, keys: attention.keyProjection,
      values: attention.valueProjection, output: attention.outputProjection
    ).fused()
    let copy = try #require(again.fusedProjection)
    #expect(copy.weight == whole.weight && copy.weight.strides == [1, 11])
    #expect(distance(whole.weight, try #require(attention.fused().fusedProjection).weight) == 0)
  }

  @Test func pyTorchsTensorsStayWhereTheyAre() throws {
    let bias = Tensor<Float>.normal([12], seed: 9)
    let output = Tensor<Float>.normal([4, 4], seed: 10)
    let parts = [
      "q_proj_weight": Tensor<Float>.normal([4, 4], seed: 11), "k_proj_weight": .normal([4, 3], seed: 12),
      "v_proj_weight": .normal([4, 5], seed: 13),
    ]
    let separate = try MultiHeadAttention(
      pyTorch: parts.merging(["in_proj_bias": bias, "out_proj.weight": output]) { $1 }, heads: 2)
    let fused = Tensor<Float>.normal([12, 4], seed: 14)
    let whole = try MultiHeadAttention(
      pyTorch: ["in_proj_weight": fused, "in_proj_bias": bias, "out_proj.weight": output], heads: 2)
    for attention in [separate, whole] {
      #expect(distance(output, attention.outputProjection.weight) == 0)
      for (index, projection) in [
        attention.queryProjection, attention.keyProjection, attention.valueProjection,
      ].enumerated() {
        #expect(distance(bias, try #require(projection.bias)) == 4 * index)
        #expect(projection.outputWidth == 4)
      }
    }
    #expect(distance(try #require(parts["k_proj_weight"]), separate.keyProjection.weight) == 0)
    #expect(distance(try #require(parts["v_proj_weight"]), separate.valueProjection.weight) == 0)
    #expect(separate.keyProjection.inputWidth == 3 && separate.valueProjection.inputWidth == 5)
    #expect(distance(fused, whole.keyProjection.weight) == 16)
  }

  @Test func aCallIsItsPartsOneAfterTheOther() throws {
    let attention = try MultiHeadOracle(shape).attention(Double.self).fused()
    let x = Tensor<Double>.normal([2, 7, 11], seed: 5)
    let causal = ScaledDotProductAttention(mask: .causal)
    let expected = try attention(x, with: causal)
    let heads = try attention.project(x)
    #expect(
      try attention.attend(
        heads.queries, KeyValues(keys: heads.keys, values: heads.values), with: causal) == expected)
    // Row-major heads, as attention returns them on its own.
    let y = try scaledDotProductAttention(
      queries: heads.queries, keys: heads.keys, values: heads.values, mask: .causal)
    #expect(try attention.output(of: y) == expected)
    // A step between: keys of twice the size under half the scale are the same scores.
    let halved = ScaledDotProductAttention(scale: 0.5 / 5.0.squareRoot(), mask: .causal)
    #expect(
      try attention.attend(
        heads.queries, KeyValues(keys: heads.keys * 2, values: heads.values), with: halved) == expected)
  }

  @Test func attentionWritesWhereTheOutputProjectionReads() throws {
    let attention = try MultiHeadOracle(shape).attention(Float.self).fused()
    let heads = try attention.project(.normal([2, 7, 11], seed: 1))
    var memory = try attention.emptyHeads(for: AnyTensor(heads.queries))
    #expect(memory.shape == [2, 4, 7, 3] && memory.strides == [7 * 12, 3, 12, 1])
    let address = memory.unsafeBase
    try memory.withMutableView { view in
      try ScaledDotProductAttention().write(
        heads.queries, KeyValues(keys: heads.keys, values: heads.values), to: view)
    }
    #expect(memory.unsafeBase == address && memory.strides == [7 * 12, 3, 12, 1])
    #expect(try memory.mergeHeads().unsafeBase == address)
  }

  @Test func projectsRowsOfAnyRank() throws {
    let weight = Tensor<Double>.normal([6, 4], seed: 6)
    let bias = Tensor<Double>.normal([4], seed: 7)
    let projection = try Projection(weight: weight, bias: bias)
    let x = Tensor<Double>.normal([2, 3, 6], seed: 8)
    let expected = naiveProjection(x, weight, bias)
    let tolerance = multiHeadTolerance(Double.self, terms: 6)
    for (rows, answer) in [
      (x, expected), (x.selected(axis: 0, 1), expected.selected(axis: 0, 1)),
      (x.selected(axis: 0, 1).selected(axis: 0, 2), expected.selected(axis: 0, 1).selected(axis: 0, 2)),
      (x.expanded(axis: 0), expected.expanded(axis: 0)),
    ] {
      let worst = tolerance.worstMismatch(try projection(rows), expected: answer)
      #expect(worst == nil, "\(rows.shape)")
    }
    // A bias that lies apart is read right.
    let apart = try Projection(
      weight: weight,
      bias: Tensor.concatenate([bias, bias], axis: 0).reshaped(to: [2, 4]).transposed()
        .contiguousCopy().selected(axis: 1, 0))
    #expect(try apart(x) == projection(x))
  }

  /// How many elements after the first of `left` the first of `right` is.
  private func distance<E: TensorElement>(_ left: Tensor<E>, _ right: Tensor<E>) -> Int {
    (Int(bitPattern: right.unsafeBase) - Int(bitPattern: left.unsafeBase)) / MemoryLayout<E>.stride
  }
}
