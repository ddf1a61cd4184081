import Attention
import AttentionReference
import Parallelism
import TestSupport
import Testing

/// A ring that has overwritten rows gives what a cache of all rows gives under the window's mask.
@Suite struct CachedRingTests {
  struct Ring: Sendable {
    let window: Int
    let kept: Int
    let pageSize: Int
  }

  static let rings = [
    Ring(window: 20, kept: 0, pageSize: 16), Ring(window: 33, kept: 4, pageSize: 8),
    Ring(window: 300, kept: 7, pageSize: 16), Ring(window: 0, kept: 1, pageSize: 1),
  ]

  /// Rules and options that count positions, and the scale of the test's numbers.
  private static let alibi = AttentionMask.alibi(slopes: AttentionMask.alibiSlopes(heads: 4))
  private static let modifier = AttentionMask.modifier(
    ScoreModifier { score, at in score - 0.01 * Double(at.position - at.key) })
  static let rules: [AttentionMask] = [.none, alibi, modifier]

  @Test(arguments: rings, rules) func isTheWindowOfAllRows(ring: Ring, rule: AttentionMask) throws {
    let inputs = CachedInputs(700, heads: HeadCounts(query: 4, keyValue: 2), depth: 32)
    for types in [
      CachedTypes(keys: .float32, values: .float32), CachedTypes(keys: .int8, values: .int4),
      CachedTypes(keys: .bfloat16, values: .int8),
    ] {
      let attend = ScaledDotProductAttention(
        mask: .causal & .window(left: ring.window, keepingFirst: ring.kept) & rule,
        options: AttentionOptions(softcap: 20, sinks: [0, 1, -1, 2]), on: Pools.two)
      let pool = try inputs.pool(types, pageSize: ring.pageSize, pages: 2000 / ring.pageSize)
      let all = pool.makeSequence()
      let turning = try pool.makeSequence(
        window: ring.window, keepingFirst: ring.kept, longestAppend: 90)
      let largest = inputs.values.elements.map { Double($0.magnitude) }.max()!
      let bound = 2 * types.bound(largest)
      var first = 0
      for append in [5, 90, 1, 1, 40, 90, 2, 90, 17, 90, 1, 90, 90, 1, 1] {
        let rows = first..<first + append
        let step = try KeyValueStep([all, turning], appending: [append, append])
        let (keys, values) = (inputs.keys.sliced(axis: 0, rows), inputs.values.sliced(axis: 0, rows))
        try step.write(
          layer: 0, keys: keys.concatenated(with: keys, axis: 0),
          values: values.concatenated(with: values, axis: 0))
        let queries = inputs.queries.sliced(axis: 0, rows)
        let (output, sums) = try attend.withLogSumExp(
          .packed(queries.concatenated(with: queries, axis: 0), lengths: [append, append]),
          step.keyValues(layer: 0))
        let (slab, ring) = (output.sliced(axis: 0, 0..<append), output.sliced(axis: 0, append..<2 * append))
        let worst = Tolerance(absolute: bound).worstMismatch(ring, expected: slab.converted(to: Double.self))
        #expect(worst == nil, "\(types), rows \(rows)")
        let (a, b) = (sums.sliced(axis: 1, 0..<append), sums.sliced(axis: 1, append..<2 * append))
        let worstSum = Tolerance(relative: 1e-5, absolute: 2 * bound).worstMismatch(
          b, expected: a.converted(to: Double.self))
        #expect(worstSum == nil, "log-sum-exp, \(types), rows \(rows)")
        try step.commit()
        first = rows.upperBound
      }
    }
  }
}
