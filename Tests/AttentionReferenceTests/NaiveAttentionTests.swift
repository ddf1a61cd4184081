import AttentionReference
import Tensors
import Testing

/// The rounding of the element type, with room for sums: scores of a few units, weights that sum to 1.
private func expectNaiveMatchesOracle<E: FloatingPointElement>(
  _ sizes: Sizes, as type: E.Type, _ bound: Double
) {
  let (q, k, v) = sizes.inputs(seed: 42, as: type)
  let isVisible = { (b: Int, h: Int, i: Int, j: Int) in
    j <= i + sizes.Tk - sizes.Tq && (b + h + i + j) % 5 != 0
  }
  let bias = { (b: Int, h: Int, i: Int, j: Int) in Double((b + 2 * h + 3 * i + j) % 7) * 0.25 - 1 }
  for (isVisible, bias) in [(nil, nil), (isVisible, nil), (nil, bias), (isVisible, bias)]
    as [(
      AttentionOracle<E>.Rule<Bool>?, AttentionOracle<E>.Rule<Double>?
    )]
  {
    let naive = naiveAttention(queries: q, keys: k, values: v, isVisible: isVisible, bias: bias)
    let exact = AttentionOracle(queries: q, keys: k, values: v, isVisible: isVisible, bias: bias).all().output
    let mismatch = Tolerance(absolute: bound).worstMismatch(naive, expected: exact)
    #expect(
      mismatch == nil,
      "\(sizes) \(E.elementType), visibility \(isVisible != nil), bias \(bias != nil): \(String(describing: mismatch))"
    )
  }
}

@Suite struct NaiveAttentionTests {
  /// Bounds: a few roundings of outputs of at most √3, that is 2⁻⁵³, 2⁻²⁴, 2⁻¹¹ and 2⁻⁸ relative, for the output, the
  /// weights where they are rounded, and (Float, Double) the sums of scores.
  @Test(arguments: [
    Sizes(1, 1, 1, 1, 1, 1, 1), Sizes(2, 4, 2, 9, 9, 8, 8), Sizes(1, 6, 1, 5, 17, 16, 3),
    Sizes(2, 3, 3, 13, 4, 7, 20), Sizes(1, 2, 2, 64, 65, 64, 64),
  ]) func matchesTheOracle(sizes: Sizes) {
    expectNaiveMatchesOracle(sizes, as: Double.self, 1e-14)
    expectNaiveMatchesOracle(sizes, as: Float.self, 2e-6)
    expectNaiveMatchesOracle(sizes, as: Float16.self, 4e-3)
    expectNaiveMatchesOracle(sizes, as: BFloat16.self, 3e-2)
  }

  @Test func handComputedCase() throws {
    // Scores 0 and ln 3, so weights 1/4 and 3/4.
    let output = naiveAttention(
      queries: try Tensor<Double>([1], shape: [1, 1, 1, 1]),
      keys: try Tensor<Double>([0, 1.0986122886681098], shape: [1, 1, 2, 1]),
      values: try Tensor<Double>([4, 8, 0, 16], shape: [1, 1, 2, 2]), scale: 1)
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
      values: try Tensor<BFloat16>([3, -1], shape: [1, 1, 2, 1]), scale: 1)
    #expect(output.elements == [BFloat16(nearest: 80.0 / 1024)])
  }

  @Test func zeroValuesGiveZeroOutputWhateverTheScores() {
    let sizes = Sizes(2, 4, 2, 7, 11, 8, 5)
    for magnitude in [Float(0), 1, 100, 1e18] {
      let q = Tensor<Float>(repeating: magnitude, shape: [sizes.B, sizes.Hq, sizes.Tq, sizes.D])
      let (_, k, _) = sizes.inputs(seed: 3, as: Float.self)
      let zeros = Tensor<Float>.zeros([sizes.B, sizes.Hkv, sizes.Tk, sizes.Dv])
      let output = naiveAttention(queries: q, keys: k, values: zeros)
      #expect(output.elements.allSatisfy { $0 == 0 }, "queries of \(magnitude)")
    }
  }

  @Test func rowThatSeesNoKeyIsZero() {
    let (q, k, v) = Sizes(1, 2, 1, 3, 4, 2, 2).inputs(seed: 7, as: Float.self)
    let output = naiveAttention(queries: q, keys: k, values: v, isVisible: { _, _, query, _ in query != 1 })
    for head in 0..<2 {
      #expect(output[0, head, 1, 0] == 0 && output[0, head, 1, 1] == 0)
      #expect(output[0, head, 0, 0] != 0 && output[0, head, 2, 0] != 0)
    }
  }

  @Test func pairsLimitTheWork() {
    let (q, k, v) = Sizes(2, 3, 1, 4, 5, 2, 2).inputs(seed: 9, as: Float.self)
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
    let view = try randomTensor([2, 5, 3 * 4], seed: 8, as: Float.self).splitHeads(3)
    let copy = view.contiguousCopy()
    #expect(
      naiveAttention(queries: view, keys: view, values: view).elements
        == naiveAttention(queries: copy, keys: copy, values: copy).elements)
  }
}
