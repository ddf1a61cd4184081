import Attention
import Parallelism
import TestSupport
import Testing

/// Sequences that share rows are read once for all of them, and none can tell.
@Suite struct SharedPrefixTests {
  private static let prefix = 2100
  private static let lengths = [3, 1, 700, 2, 0, 1, 1500, 5]

  private func expectEqual(
    _ a: Tensor<some AttentionElement>, _ b: Tensor<some AttentionElement>, _ context: String
  ) {
    #expect(a.elements.map(\.doubleValue) == b.elements.map(\.doubleValue), "\(context)")
  }

  @Test(arguments: CachedTypes.all, [1, 4]) func forksGiveWhatTheyGiveAlone(types: CachedTypes, group: Int)
    throws
  {
    func check<Element: AttentionElement>(_: Element.Type) throws {
      let inputs = CachedInputs(4000, heads: HeadCounts(query: 2 * group, keyValue: 2), depth: 64)
      let pool = try inputs.pool(types, pageSize: 16, pages: 600)
      let root = pool.makeSequence()
      try inputs.append(0..<Self.prefix, to: root)
      let sequences = try Self.lengths.enumerated().map { number, length in
        let fork = try root.fork()
        let start = Self.prefix + 10 * number
        if length > 0 { try inputs.append(start..<start + length, to: fork) }
        return fork
      }
      // Two queries each: of some, windows see only part of what is shared.
      let queries = Tensor<Float>.normal([16, 2 * group, 64], seed: 9).converted(to: Element.self)
      let step = try KeyValueStep(sequences, appending: sequences.map { _ in 2 })
      try step.write(
        layer: 0, keys: Tensor<Float>.normal([16, 2, 64], seed: 20),
        values: Tensor<Float>.normal([16, 2, 64], seed: 21))
      let all = try step.keyValues(layer: 0)
      try step.commit()
      for mask in [AttentionMask.causal, .causal & .window(left: 1800)] {
        for threads in [Pools.one, Pools.three, Pools.seven] {
          let attend = ScaledDotProductAttention(mask: mask, on: threads)
          let packed = Queries.packed(queries, lengths: sequences.map { _ in 2 })
          let plan = try attend.plan(packed, all)
          // Sets of narrow vectors have BLAS decode, which shares nothing.
          #expect(
            plan.description.contains("read once for several sequences") == (plan.kernel == .decode),
            "\(mask)")
          let (output, sums) = try attend.withLogSumExp(packed, all)
          for number in sequences.indices {
            let rows = 2 * number..<2 * number + 2
            let (alone, aloneSums) = try attend.withLogSumExp(
              .packed(queries.sliced(axis: 0, rows), lengths: [2]), sequences[number].view.keyValues(layer: 0)
            )
            expectEqual(output.sliced(axis: 0, rows), alone, "sequence \(number), \(mask)")
            expectEqual(sums.sliced(axis: 1, rows), aloneSums, "log-sum-exp of \(number), \(mask)")
          }
        }
      }
    }
    try check(Float.self)
    try check(BFloat16.self)
  }
}
