import Attention
import AttentionInspection
import TestSupport
import Testing

/// What an inspector says of a sequence is the same wherever its keys and queries lie, and as if it were alone.
@Suite struct InspectionSourceTests {
  private static let attend = ScaledDotProductAttention(
    mask: .causal & .window(left: 40), options: AttentionOptions(sinks: [0, 1, -.infinity, 3]),
    on: Pools.three)
  private static let sizes = (queries: [1, 0, 30, 9], keys: [100, 7, 0, 30])

  @Test(arguments: SourceKind.all, QueryKind.allCases) func sequencesAreAsIfAlone(
    source: SourceKind, kind: QueryKind
  ) throws {
    try check(source, kind, Float.self)
    try check(source, kind, Double.self)
  }

  private func check<E: AttentionElement>(_ source: SourceKind, _ kind: QueryKind, _: E.Type) throws {
    let q: Tensor<E> = .normal([4, 4, 30, 16], seed: 1)
    let (k, v): (Tensor<E>, Tensor<Float>) = (
      .normal([4, 2, 100, 16], seed: 2), .normal([4, 2, 100, 6], seed: 3)
    )
    let lengths = kind.lengths(Self.sizes.queries, of: q)
    let inspector = try AttentionInspector(
      Self.attend, kind.queries(q, lengths: lengths),
      source.keyValues(k, v, lengths: Self.sizes.keys))
    #expect(inspector.sequenceCount == 4 && inspector.headCount == 4 && inspector.keyValueHeadCount == 2)
    #expect(inspector.queryCount == 30 && inspector.keyCount >= 100 && inspector.valueWidth == 6)
    let summaries = try inspector.summaries()
    for b in 0..<4 {
      func own<T: TensorElement>(_ tensor: Tensor<T>, _ length: Int) -> Tensor<T> {
        tensor.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<length).contiguousCopy()
      }
      let (rows, keys) = (lengths[b], Self.sizes.keys[b])
      let alone = try AttentionInspector(
        Self.attend, own(q, rows), KeyValues(keys: own(k, keys), values: own(v, keys)))
      for head in 0..<4 {
        let context = "\(source) \(kind) \(E.self), sequence \(b) head \(head)"
        let expected = try alone.summaries(heads: head..<head + 1)[0]
        expectEqual(summaries[b * 4 + head], expected, keys: keys, context)
        let weights = try inspector.weights(sequence: b, head: head, queries: 0..<30)
        let ownWeights = try alone.weights(sequence: 0, head: head, queries: 0..<rows)
        expectEqual(weights, ownWeights, context)
        let norms = try inspector.contributionNorms(sequence: b, head: head, queries: 0..<30)
        let ownNorms = try alone.contributionNorms(sequence: 0, head: head, queries: 0..<rows)
        expectEqual(norms, ownNorms, context)
        let lengths = try inspector.valueNorms(sequence: b, head: head)
        let ownLengths = try alone.valueNorms(sequence: 0, head: head)
        #expect(Array(lengths.prefix(keys)) == ownLengths, "\(context)")
        #expect(lengths.dropFirst(keys).allSatisfy { $0 == 0 }, "\(context)")
        if rows > 0 {
          let parts = try inspector.contributions(sequence: b, head: head, query: rows - 1)
          let ownParts = try alone.contributions(sequence: 0, head: head, query: rows - 1)
          expectEqual(parts, ownParts, context)
        }
      }
    }
  }

  /// Equal where the smaller one is, 0 beyond.
  private func expectEqual<E: AttentionElement>(
    _ matrix: Tensor<E>, _ smaller: Tensor<E>, _ context: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let (rows, columns) = (smaller.shape[0], smaller.shape[1])
    let part = matrix.sliced(axis: 0, 0..<rows).sliced(axis: 1, 0..<columns)
    #expect(haveSameBits(part, smaller), "\(context)", sourceLocation: sourceLocation)
    for i in 0..<matrix.shape[0] {
      for j in 0..<matrix.shape[1] where i >= rows || j >= columns {
        #expect(matrix[i, j].doubleValue == 0, "\(context) at \(i) \(j)", sourceLocation: sourceLocation)
      }
    }
  }

  private func expectEqual(
    _ summary: HeadSummary, _ expected: HeadSummary, keys: Int, _ context: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      Array(summary.mass.prefix(keys)) == expected.mass
        && summary.mass.dropFirst(keys).allSatisfy { $0 == 0 }, "\(context)", sourceLocation: sourceLocation)
    #expect(
      Array(summary.contributionMass.prefix(keys)) == expected.contributionMass
        && summary.contributionMass.dropFirst(keys).allSatisfy { $0 == 0 }, "\(context)",
      sourceLocation: sourceLocation)
    #expect(
      summary.attendingQueries == expected.attendingQueries && summary.entropy == expected.entropy
        && summary.largestWeight == expected.largestWeight && summary.sinkShare == expected.sinkShare
        && summary.effectiveRank == expected.effectiveRank, "\(context)", sourceLocation: sourceLocation)
  }
}
