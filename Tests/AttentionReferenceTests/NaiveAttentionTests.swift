import AttentionReference
import Tensors
import TestSupport
import Testing

/// The rounding of the element type, with room for sums: scores of a few units, weights that sum to 1.
private func expectNaiveMatchesOracle<E: FloatingPointElement>(
  _ shape: ProblemShape, as type: E.Type, _ bound: Double
) {
  let (q, k, v) = shape.inputs(type, seed: 42)
  let isVisible = { (b: Int, h: Int, i: Int, j: Int) in
    j <= i + shape.keys - shape.queries && (b + h + i + j) % 5 != 0
  }
  let bias = { (b: Int, h: Int, i: Int, j: Int) in Double((b + 2 * h + 3 * i + j) % 7) * 0.25 - 1 }
  for (isVisible, bias) in [(nil, nil), (isVisible, nil), (nil, bias), (isVisible, bias)]
    as [(ScoreRules.Rule<Bool>?, ScoreRules.Rule<Double>?)]
  {
    let rules = ScoreRules(isVisible: isVisible, bias: bias)
    let naive = naiveAttention(queries: q, keys: k, values: v, rules: rules)
    let exact = AttentionOracle(queries: q, keys: k, values: v, rules: rules).all().output
    let mismatch = Tolerance(absolute: bound).worstMismatch(naive, expected: exact)
    #expect(
      mismatch == nil,
      "\(shape) \(E.elementType), visibility \(isVisible != nil), bias \(bias != nil): \(String(describing: mismatch))"
    )
  }
}

@Suite struct NaiveAttentionTests {
  /// Bounds for values below 4. Rounding the output costs half a step: 2⁻¹⁰ in Float16, 2⁻⁷ in BFloat16. Rounding each weight by 2⁻¹¹
  /// or 2⁻⁸ of itself moves the average of such values by at most 2⁻⁹ or 2⁻⁶. Together that is 2.9e-3 and 2.3e-2. In Float and Double
  /// what counts is a few roundings in the sums of scores.
  @Test(arguments: [
    ProblemShape(
      batch: 1, heads: HeadCounts(query: 1, keyValue: 1), queries: 1, keys: 1, headDimension: 1,
      valueDimension: 1),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 9, keys: 9, headDimension: 8,
      valueDimension: 8),
    ProblemShape(
      batch: 1, heads: HeadCounts(query: 6, keyValue: 1), queries: 5, keys: 17, headDimension: 16,
      valueDimension: 3),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 3, keyValue: 3), queries: 13, keys: 4, headDimension: 7,
      valueDimension: 20),
    ProblemShape(
      batch: 1, heads: HeadCounts(query: 2, keyValue: 2), queries: 64, keys: 65, headDimension: 64,
      valueDimension: 64),
  ]) func matchesTheOracle(shape: ProblemShape) {
    expectNaiveMatchesOracle(shape, as: Double.self, 1e-14)
    expectNaiveMatchesOracle(shape, as: Float.self, 2e-6)
    expectNaiveMatchesOracle(shape, as: Float16.self, 4e-3)
    expectNaiveMatchesOracle(shape, as: BFloat16.self, 3e-2)
  }

  @Test func handComputedCase() throws {
    // Scores 0 and ln 3, so weights 1/4 and 3/4.
    let output = naiveAttention(
      queries: try Tensor<Double>([1], shape: [1, 1, 1, 1]),
      keys: try Tensor<Double>([0, 1.0986122886681098], shape: [1, 1, 2, 1]),
      values: try Tensor<Double>([4, 8, 0, 16], shape: [1, 1, 2, 2]), rules: ScoreRules(scale: 1))
    #expect(
      Tolerance(absolute: 1e-14).worstMismatch(output, expected: try Tensor([1.0, 14], shape: [1, 1, 1, 2]))
        == nil)
  }

  @Test func halfTypesRoundTheWeights() throws {
    // Scores 0 and 1: weights 0.26894 and 0.73106, which round to 138/512 and 187/256 in BFloat16. The output
    // 3 · 138/512 − 187/256 = 80/1024 needs no rounding; with exact weights it would be 77.5/1024.
    let output = naiveAttention(
      queries: try Tensor<BFloat16>([1], shape: [1, 1, 1, 1]),
      keys: try Tensor<BFloat16>([0, 1], shape: [1, 1, 2, 1]),
      values: try Tensor<BFloat16>([3, -1], shape: [1, 1, 2, 1]), rules: ScoreRules(scale: 1))
    #expect(output.elements == [BFloat16(nearest: 80.0 / 1024)])
  }

  @Test func zeroValuesGiveZeroOutputWhateverTheScores() {
    let shape = ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 7, keys: 11, headDimension: 8,
      valueDimension: 5)
    for magnitude in [Float(0), 1, 100, 1e18] {
      let q = Tensor<Float>(
        repeating: magnitude, shape: [shape.batch, shape.heads.query, shape.queries, shape.headDimension])
      let (_, k, _) = shape.inputs(Float.self, seed: 3)
      let zeros = Tensor<Float>.zeros([shape.batch, shape.heads.keyValue, shape.keys, shape.valueDimension])
      let output = naiveAttention(queries: q, keys: k, values: zeros)
      #expect(output.elements.allSatisfy { $0 == 0 }, "queries of \(magnitude)")
    }
  }

  @Test func rowThatSeesNoKeyIsZero() {
    let (q, k, v) = ProblemShape(
      batch: 1, heads: HeadCounts(query: 2, keyValue: 1), queries: 3, keys: 4, headDimension: 2,
      valueDimension: 2
    ).inputs(Float.self, seed: 7)
    let output = naiveAttention(
      queries: q, keys: k, values: v, rules: ScoreRules(isVisible: { _, _, query, _ in query != 1 }))
    for head in 0..<2 {
      #expect(output[0, head, 1, 0] == 0 && output[0, head, 1, 1] == 0)
      #expect(output[0, head, 0, 0] != 0 && output[0, head, 2, 0] != 0)
    }
  }

  @Test func pairsLimitTheWork() {
    let (q, k, v) = ProblemShape(
      batch: 2, heads: HeadCounts(query: 3, keyValue: 1), queries: 4, keys: 5, headDimension: 2,
      valueDimension: 2
    ).inputs(Float.self, seed: 9)
    let all = naiveAttention(queries: q, keys: k, values: v).elements
    let some = naiveAttention(queries: q, keys: k, values: v, pairs: 2..<4).elements
    let perPair = 4 * 2
    for pair in 0..<6 {
      let range = pair * perPair..<(pair + 1) * perPair
      let expected = (2..<4).contains(pair) ? Array(all[range]) : [Float](repeating: 0, count: perPair)
      #expect(Array(some[range]) == expected, "pair \(pair)")
    }
  }

  @Test func viewsGiveWhatTheirCopiesGive() throws {
    let view = try Tensor<Float>.normal([2, 5, 3 * 4], seed: 8).splitHeads(3)
    let copy = view.contiguousCopy()
    #expect(
      naiveAttention(queries: view, keys: view, values: view).elements
        == naiveAttention(queries: copy, keys: copy, values: copy).elements)
  }
}
