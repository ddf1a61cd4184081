import AttentionReference
import Tensors
import TestSupport
import Testing

/// Softcap and sinks of the naive kernel, held against the oracle, which has its own code for them.
@Suite struct NaiveScoreOptionsTests {
  private static let shape = ProblemShape(
    batch: 2, heads: HeadCounts(query: 6, keyValue: 2), queries: 5, keys: 9, headDimension: 8,
    valueDimension: 3)

  /// A cap of 1 bends scores of unit variance far; sinks below, among and above the scores.
  @Test(
    arguments: [nil, 0, 1, 30] as [Double?],
    [nil, [-2, -0.5, 0, 0.5, 2, 40], [-.infinity, 0, 0, 0, 0, 0]] as [[Double]?])
  func matchTheOracle(softcap: Double?, sinks: [Double]?) {
    expectMatch(softcap, sinks, as: Double.self, 1e-14)
    expectMatch(softcap, sinks, as: Float.self, 2e-6)
    expectMatch(softcap, sinks, as: BFloat16.self, 3e-2)
  }

  /// Bounds as in `NaiveAttentionTests.matchesTheOracle`: neither option makes outputs larger or adds more than a rounding.
  private func expectMatch<E: FloatingPointElement>(
    _ softcap: Double?, _ sinks: [Double]?, as type: E.Type, _ bound: Double
  ) {
    let (q, k, v) = Self.shape.inputs(type, seed: 7)
    // Query 0 sees no key: its output is 0, with or without a sink.
    let isVisible = { (_: Int, _: Int, i: Int, j: Int) in j < 3 * i }
    let bias = { (_: Int, h: Int, i: Int, j: Int) in Double(h + 2 * i + j) * 0.125 - 1 }
    let rules = ScoreRules(softcap: softcap, sinks: sinks, isVisible: isVisible, bias: bias)
    let naive = naiveAttention(queries: q, keys: k, values: v, rules: rules)
    let exact = AttentionOracle(queries: q, keys: k, values: v, rules: rules).all().output
    let mismatch = Tolerance(absolute: bound).worstMismatch(naive, expected: exact)
    #expect(
      mismatch == nil,
      "\(E.elementType), softcap \(String(describing: softcap)), sinks \(String(describing: sinks)): \(String(describing: mismatch))"
    )
  }
}
