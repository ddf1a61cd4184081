import Attention
import TestSupport
import Testing

/// A plan made once runs for other tensors of the same sizes, bit for bit as a call.
@Suite struct PlanRunTests {
  private static let sizes = SourceEqualityTests.sizes

  /// Queries and keys of one layer, kept in some way.
  private func layer<E: AttentionElement>(
    _ layer: Int, _ source: SourceKind, _ kind: QueryKind, _ sizes: SourceEqualityTests.Sizes, _: E.Type
  ) throws -> (Queries<E>, KeyValues) {
    let (batch, seed) = (sizes.keys.count, UInt64(10 * layer))
    let q: Tensor<E> = .normal([batch, 4, sizes.queries.max() ?? 0, 24], seed: seed)
    let k: Tensor<E> = .normal([batch, 2, sizes.keys.max() ?? 0, 24], seed: seed + 1)
    let v: Tensor<Float16> = .normal([batch, 2, sizes.keys.max() ?? 0, 20], seed: seed + 2)
    return (
      try kind.queries(q, lengths: kind.lengths(sizes.queries, of: q)),
      try source.keyValues(k, v, lengths: sizes.keys)
    )
  }

  @Test(arguments: SourceKind.all, sizes) func runsForEveryLayer(
    source: SourceKind, sizes: SourceEqualityTests.Sizes
  ) throws {
    try check(source, sizes, Float.self)
    try check(source, sizes, BFloat16.self)
    try check(source, sizes, Double.self)
  }

  private func check<E: AttentionElement>(
    _ source: SourceKind, _ sizes: SourceEqualityTests.Sizes, _: E.Type
  ) throws {
    let attend = ScaledDotProductAttention(
      mask: .causal & .window(left: 900), options: AttentionOptions(softcap: 20, sinks: [0, 1, -1, 2]),
      on: Pools.three)
    for kind in QueryKind.allCases {
      let first = try layer(0, source, kind, sizes, E.self)
      let plan = try attend.plan(first.0, first.1)
      for number in [1, 0, 2] {
        let (queries, keyValues) = try layer(number, source, kind, sizes, E.self)
        let expected = try attend.withLogSumExp(queries, keyValues)
        var output = Tensor(repeating: E(nearest: .nan), shape: expected.output.shape)
        var sums = Tensor(repeating: E.Accumulator(nearest: .nan), shape: expected.logSumExp.shape)
        try output.withMutableView { view in
          try sums.withMutableView { try plan.run(queries, keyValues, to: view, logSumExp: $0) }
        }
        let isEqual = haveSameBits(output, expected.output) && haveSameBits(sums, expected.logSumExp)
        #expect(isEqual, "\(source), \(kind), \(E.self), layer \(number)")
        // Without a log-sum-exp, and into strides of the caller's.
        var wide = Tensor(repeating: E(nearest: 7), shape: wider(expected.output.shape))
        let last = wide.rank - 1
        try wide.withMutableView { try plan.run(queries, keyValues, to: $0.sliced(axis: last, 0..<20)) }
        #expect(
          haveSameBits(wide.sliced(axis: last, 0..<20), expected.output), "\(source), \(kind), \(E.self)")
        let beside = wide.sliced(axis: last, 20..<21).elements
        #expect(beside.allSatisfy { $0.doubleValue == 7 }, "\(source), \(kind), \(E.self)")
      }
    }
  }

  /// One column more.
  private func wider(_ shape: Shape) -> Shape {
    var wider = shape
    wider[shape.count - 1] += 1
    return wider
  }

  /// Lengths, pages and packing are where rows lie: the same sizes kept in another way run by the same plan.
  @Test(arguments: sizes) func runsForOtherSources(sizes: SourceEqualityTests.Sizes) throws {
    try checkOtherSources(sizes, Float.self)
    try checkOtherSources(sizes, BFloat16.self)
    try checkOtherSources(sizes, Double.self)
  }

  private func checkOtherSources<E: AttentionElement>(
    _ sizes: SourceEqualityTests.Sizes, _: E.Type
  ) throws {
    let attend = ScaledDotProductAttention(mask: .causal, on: Pools.two)
    let (queries, first) = try layer(0, .tensors, .packed, sizes, E.self)
    let (plan, expected) = (try attend.plan(queries, first), try attend(queries, first))
    for source in SourceKind.all {
      // More rows than any sequence has are another `Tk`.
      if case .slab = source { continue }
      if case .joined = source { continue }
      let (_, keyValues) = try layer(0, source, .packed, sizes, E.self)
      var output = Tensor(repeating: E(nearest: .nan), shape: expected.shape)
      try output.withMutableView { try plan.run(queries, keyValues, to: $0) }
      #expect(haveSameBits(output, expected), "\(source) \(E.self)")
    }
  }

  /// Plans of one attention have scratch memory of their own.
  @Test(arguments: sizes) func plansRunAtOnce(sizes: SourceEqualityTests.Sizes) async throws {
    let attend = ScaledDotProductAttention(mask: .causal, on: Pools.three)
    try await withThrowingTaskGroup(of: (Tensor<Float>, Tensor<Float>).self) { group in
      for number in 0..<4 {
        group.addTask {
          let (queries, keyValues) = try layer(number, .slab, .padded, sizes, Float.self)
          let plan = try attend.plan(queries, keyValues)
          let expected = try ScaledDotProductAttention(mask: .causal, on: Pools.one)(queries, keyValues)
          var output = expected
          for _ in 0..<20 {
            output = Tensor(repeating: .nan, shape: expected.shape)
            try output.withMutableView { try plan.run(queries, keyValues, to: $0) }
            if !haveSameBits(output, expected) { break }
          }
          return (output, expected)
        }
      }
      for try await (output, expected) in group { #expect(haveSameBits(output, expected), "\(sizes)") }
    }
  }
}
