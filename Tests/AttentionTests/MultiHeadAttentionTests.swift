import Attention
import AttentionReference
import LinearAlgebra
import TestSupport
import Testing

/// What comes out of multi-head attention, against naive products around the oracle.
@Suite struct MultiHeadAttentionTests {
  @Test(arguments: MultiHeadShape.grid)
  func matchesTheNaiveComposition(shape: MultiHeadShape) throws {
    let oracle = MultiHeadOracle(shape)
    let answer = oracle.answer()
    func check<E: AttentionElement & BLASScalar>(_: E.Type) throws {
      let result = try oracle.attention(E.self)(
        oracle.queries.converted(to: E.self), keys: oracle.keys.converted(to: E.self),
        values: oracle.values.converted(to: E.self))
      let worst = multiHeadTolerance(E.self, terms: shape.terms).worstMismatch(result, expected: answer)
      #expect(worst == nil, "\(E.self), \(shape)")
    }
    try check(Float.self)
    try check(Double.self)
  }

  @Test(arguments: MultiHeadShape.selfAttention)
  func oneWeightMatchesThree(shape: MultiHeadShape) throws {
    var oracle = MultiHeadOracle(shape, seed: 2)
    (oracle.keys, oracle.values) = (oracle.queries, oracle.queries)
    let answer = oracle.answer(isVisible: { $3 <= $2 })
    let tolerance = multiHeadTolerance(Double.self, terms: shape.terms)
    let separate = try oracle.attention(Double.self)
    let fused = try separate.fused()
    #expect(separate.fusedProjection == nil && fused.fusedProjection != nil)
    let (x, y) = (oracle.queries, oracle.queries.contiguousCopy())
    let causal = ScaledDotProductAttention(mask: .causal)
    // One product; one for queries and one for the rest; and three, of views of one weight.
    for (name, result) in [
      ("separate", try separate(x, with: causal)), ("fused", try fused(x, with: causal)),
      ("the same tensor thrice", try fused(x, keys: x, values: x, with: causal)),
      ("two sequences", try fused(x, keys: y, with: causal)),
      ("three", try fused(x, keys: y, values: x, with: causal)),
    ] {
      let worst = tolerance.worstMismatch(result, expected: answer)
      #expect(worst == nil, "\(name), \(shape)")
    }
  }

  /// A bias of the keys moves all scores of a query alike, which no output shows: it is seen here alone.
  @Test(arguments: MultiHeadShape.selfAttention)
  func headsMatchNaiveProjections(shape: MultiHeadShape) throws {
    var oracle = MultiHeadOracle(shape, seed: 8)
    (oracle.keys, oracle.values) = (oracle.queries, oracle.queries)
    let expected = oracle.projected()
    let separate = try oracle.attention(Float.self)
    let fused = try separate.fused()
    let x = oracle.queries.converted(to: Float.self)
    let tolerance = multiHeadTolerance(Float.self, terms: shape.widths.queries)
    for (name, heads) in [
      ("separate", try separate.project(x)), ("fused", try fused.project(x)),
      ("keys and values apart", try fused.project(x, keys: x.contiguousCopy())),
      ("all apart", try fused.project(x, keys: x.contiguousCopy(), values: x)),
    ] {
      for (part, actual, naive) in [
        ("queries", heads.queries, expected.queries), ("keys", heads.keys, expected.keys),
        ("values", heads.values, expected.values),
      ] {
        let worst = tolerance.worstMismatch(actual, expected: naive)
        #expect(worst == nil, "\(part), \(name), \(shape)")
      }
    }
  }

  @Test func masksScaleAndOptionsReachAttention() throws {
    let shape = MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 6, keys: 6, headDimension: 8,
        valueDimension: 5),
      widths: (16, 16, 16, 16))
    let oracle = MultiHeadOracle(shape, seed: 3)
    let attention = try oracle.attention(Double.self)
    let tolerance = multiHeadTolerance(Double.self, terms: shape.terms)
    func result(_ attend: ScaledDotProductAttention) throws -> Tensor<Double> {
      try attention(oracle.queries, keys: oracle.keys, values: oracle.values, with: attend)
    }
    let lengths = [6, 2]
    let heads = try attention.project(oracle.queries, keys: oracle.keys, values: oracle.values)
    let some = KeyValues(keys: heads.keys, values: heads.values, lengths: lengths)
    let capped = AttentionOptions(softcap: 0.5)
    for (name, result, answer) in [
      ("scale", try result(ScaledDotProductAttention(scale: 1.5)), oracle.answer(scale: 1.5)),
      (
        "mask", try result(ScaledDotProductAttention(mask: .window(left: 1))),
        oracle.answer(isVisible: { _, _, i, j in j >= i - 1 })
      ),
      (
        "lengths", try attention.attend(heads.queries, some),
        oracle.answer(isVisible: { b, _, _, j in j < lengths[b] })
      ),
      (
        "softcap", try result(ScaledDotProductAttention(options: capped)), oracle.answer(softcap: 0.5)
      ),
    ] {
      let worst = tolerance.worstMismatch(result, expected: answer)
      #expect(worst == nil, "\(name)")
    }
  }

  @Test func readsInputsAndWeightsInAnyStrides() throws {
    let shape = MultiHeadShape(
      attention: ProblemShape(
        batch: 3, heads: HeadCounts(query: 2, keyValue: 1), queries: 9, keys: 9, headDimension: 6,
        valueDimension: 4),
      widths: (10, 10, 10, 10))
    var oracle = MultiHeadOracle(shape, seed: 4)
    (oracle.keys, oracle.values) = (oracle.queries, oracle.queries)
    let answer = oracle.answer()
    let x = oracle.queries.converted(to: Float.self)
    let tolerance = multiHeadTolerance(Float.self, terms: shape.terms)
    let attention = try oracle.attention(Float.self).fused()
    for (name, input) in [
      ("sequence first", x.permuted(1, 0, 2).contiguousCopy().permuted(1, 0, 2)),
      ("width first", x.permuted(2, 0, 1).contiguousCopy().permuted(1, 2, 0)),
      (
        "every second token",
        try Tensor.concatenate([x, x], axis: 2).reshaped(to: [3, 18, 10]).sliced(axis: 1, 0..<18, by: 2)
      ),
      ("part of the columns", try Tensor.concatenate([x, x], axis: 2).sliced(axis: 2, 10..<20)),
    ] {
      #expect(input == x && !input.isContiguous, "\(name)")
      let worst = tolerance.worstMismatch(try attention(input), expected: answer)
      #expect(worst == nil, "\(name)")
    }
    // A weight whose columns and rows both lie apart.
    let w = attention.outputProjection.weight
    let spread = try Tensor.concatenate([w, w], axis: 1).reshaped(to: [w.shape[0], 2, w.shape[1]])
      .permuted(0, 2, 1).contiguousCopy().selected(axis: 2, 0)
    #expect(spread.strides == [20, 2])
    let strided = try MultiHeadAttention(
      queryHeads: 2, keyValueHeads: 1, fused: #require(attention.fusedProjection),
      output: Projection(weight: spread, bias: attention.outputProjection.bias))
    #expect(try strided(x) == attention(x))
  }

  @Test func emptySequencesAndBatches() throws {
    let shape = MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 3, keys: 3, headDimension: 5,
        valueDimension: 6),
      widths: (8, 8, 8, 7))
    let separate = try MultiHeadOracle(shape).attention(Float.self)
    for attention in [separate, try separate.fused()] {
      #expect(try attention(.zeros([0, 3, 8])).shape == [0, 3, 7])
      #expect(try attention(.zeros([2, 0, 8])).shape == [2, 0, 7])
      #expect(try attention(.zeros([2, 0, 8]), keys: .zeros([2, 4, 8])).shape == [2, 0, 7])
      // No key at all: what is left is the bias of the output.
      let alone = try attention(.normal([2, 3, 8], seed: 5), keys: .zeros([2, 0, 8]))
      let bias = try #require(attention.outputProjection.bias)
      #expect(alone == (try bias.broadcast(to: [2, 3, 7])))
    }
  }

  @Test func whatIsInAHiddenTokenReachesNoOther() throws {
    let shape = MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 2, keyValue: 2), queries: 11, keys: 11, headDimension: 4,
        valueDimension: 4),
      widths: (8, 8, 8, 8))
    let oracle = MultiHeadOracle(shape, seed: 6)
    let attention = try oracle.attention(Float.self).fused()
    let clean = oracle.queries.converted(to: Float.self)
    var x = clean
    for token in 7..<11 {
      for column in 0..<8 { x[1, token, column] = token == 8 ? .infinity : .nan }
    }
    func attend(_ x: Tensor<Float>) throws -> Tensor<Float> {
      let heads = try attention.project(x)
      return try attention.attend(
        heads.queries, KeyValues(keys: heads.keys, values: heads.values, lengths: [11, 7]))
    }
    let (result, expected) = (try attend(x), try attend(clean))
    #expect(result.selected(axis: 0, 0) == expected.selected(axis: 0, 0))
    let second = result.selected(axis: 0, 1)
    #expect(second.sliced(axis: 0, 0..<7) == expected.selected(axis: 0, 1).sliced(axis: 0, 0..<7))
    #expect(second.sliced(axis: 0, 7..<11).elements.allSatisfy { $0.isNaN })
  }

  @Test func theSameBitsOnAnyNumberOfThreads() throws {
    let shape = try #require(MultiHeadShape.selfAttention.last)
    let oracle = MultiHeadOracle(shape, seed: 7)
    let attention = try oracle.attention(Float.self).fused()
    let x = oracle.queries.converted(to: Float.self)
    let expected = try attention(x, with: ScaledDotProductAttention(on: Pools.one))
    for pool in [Pools.two, Pools.three, Pools.seven] {
      #expect(
        try attention(x, with: ScaledDotProductAttention(on: pool)) == expected, "\(pool.threadCount) threads"
      )
    }
  }
}
