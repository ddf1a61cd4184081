import Attention
import TestSupport
import Testing

/// Scores of every way to keep keys under every way to pass queries are, bit for bit, those of each sequence alone.
@Suite struct ScoreSourceTests {
  private static let attend = ScaledDotProductAttention(
    mask: .causal & .alibi(slopes: [0.1, 0, -0.2, 0.5]),
    options: AttentionOptions(softcap: 5, sinks: [0, 1, 2, 3]),
    on: Pools.three)

  /// Sequences of 1, 0, 30 and 9 queries, and of keys that cross tiles.
  private static let sizes = (queries: [1, 0, 30, 9], keys: [300, 7, 0, 30])

  /// Inputs of all sequences; keys are values, which scores do not read.
  private static func inputs<E: AttentionElement>(_: E.Type) -> (q: Tensor<E>, k: Tensor<E>) {
    (.normal([4, 4, 30, 16], seed: 1), .normal([4, 2, 300, 16], seed: 2))
  }

  @Test(arguments: SourceKind.all, ScoreStage.allCases) func areThoseOfTheSequenceAlone(
    source: SourceKind, stage: ScoreStage
  ) throws {
    try check(source, stage, Float.self)
    try check(source, stage, BFloat16.self)
    try check(source, stage, Double.self)
  }

  private func check<E: AttentionElement>(_ source: SourceKind, _ stage: ScoreStage, _: E.Type) throws {
    let (q, k) = Self.inputs(E.self)
    let keyValues = try source.keyValues(k, k, lengths: Self.sizes.keys)
    for kind in QueryKind.allCases {
      let lengths = kind.lengths(Self.sizes.queries, of: q)
      let scores = try Self.attend.scores(kind.queries(q, lengths: lengths), keyValues, stage: stage)
      let hidden: Double = stage == .weights ? 0 : -.infinity
      let columns = scores.shape.fromEnd(1)
      #expect(columns >= 300 && scores.rank == (kind == .packed ? 3 : 4), "\(source) \(kind)")
      for (b, length) in lengths.enumerated() {
        let keyCount = Self.sizes.keys[b]
        let ownKeys = k.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<keyCount).contiguousCopy()
        let ownQueries = q.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<length).contiguousCopy()
        let alone = try Self.attend.scores(
          ownQueries, KeyValues(keys: ownKeys, values: ownKeys), stage: stage)
        let own = kind.rows(scores, of: b, lengths: lengths)
        let context = "\(source) \(kind) \(stage) \(E.self), sequence \(b)"
        #expect(haveSameBits(own.sliced(axis: 2, 0..<keyCount), alone.selected(axis: 0, 0)), "\(context)")
        let past = own.sliced(axis: 2, keyCount..<columns).elements
        #expect(past.allSatisfy { $0.doubleValue == hidden }, "\(context)")
        let padding = kind.padding(scores, of: b, lengths: lengths).elements
        #expect(padding.allSatisfy { $0.doubleValue == hidden }, "\(context)")
      }
    }
  }

  @Test(arguments: ScoreStage.allCases) func packedRowsAreThoseOfTheWhole(stage: ScoreStage) throws {
    let (q, k) = Self.inputs(Float.self)
    for source in [SourceKind.packed, .pages(5), .joined([(.slab, 11), (.pages(16), .max)])] {
      let keyValues = try source.keyValues(k, k, lengths: Self.sizes.keys)
      let queries = try QueryKind.packed.queries(q, lengths: Self.sizes.queries)
      let whole = try Self.attend.scores(queries, keyValues, stage: stage)
      let total = Self.sizes.queries.reduce(QueryKind.extraRows, +)
      #expect(whole.shape == [4, total, whole.shape[2]] && whole.shape[2] >= 300)
      // Inside a sequence, across several, of the padding after the last, and of none.
      for rows in [0..<1, 5..<20, 0..<total, 30..<33, total - 1..<total, 38..<total, 7..<7] {
        let part = try Self.attend.scores(queries, keyValues, stage: stage, rows: rows)
        #expect(haveSameBits(part, whole.sliced(axis: 1, rows)), "\(source) \(stage) \(rows)")
      }
      for rows in [-1..<1, 0..<total + 1, total + 1..<total + 1] {
        expectRefusal(of: "rows", "0..<\(total)") {
          try Self.attend.scores(queries, keyValues, stage: stage, rows: rows)
        }
      }
    }
  }
}
