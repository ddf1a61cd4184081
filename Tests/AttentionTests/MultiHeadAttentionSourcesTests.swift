import Attention
import AttentionReference
import LinearAlgebra
import TestSupport
import Testing

/// Heads of packed and padded sequences, and keys and values that do not come from the projections alone.
@Suite struct MultiHeadAttentionSourcesTests {
  private static let shape = MultiHeadShape(
    attention: ProblemShape(
      batch: 3, heads: HeadCounts(query: 4, keyValue: 2), queries: 9, keys: 9, headDimension: 6,
      valueDimension: 5),
    widths: (16, 16, 16, 11))
  private static let lengths = [9, 4, 1]
  private static let causal = ScaledDotProductAttention(mask: .causal)

  /// Hidden states of three sequences, and what each gives alone.
  private func example() throws -> (
    attention: MultiHeadAttention<Double>, x: Tensor<Double>, answers: [Tensor<Double>], tolerance: Tolerance
  ) {
    let oracle = MultiHeadOracle(Self.shape, seed: 11)
    let attention = try oracle.attention(Double.self).fused()
    let x = oracle.queries
    let answers = try Self.lengths.enumerated().map { b, length in
      try attention(x.sliced(axis: 0, b..<b + 1).sliced(axis: 1, 0..<length), with: Self.causal)
        .selected(axis: 0, 0)
    }
    return (attention, x, answers, multiHeadTolerance(Double.self, terms: Self.shape.terms))
  }

  @Test(arguments: SourceKind.all) func packedSequencesAreAsIfAlone(source: SourceKind) throws {
    let (attention, x, answers, tolerance) = try example()
    let heads = try attention.project(x)
    let keyValues = try source.keyValues(heads.keys, heads.values, lengths: Self.lengths)
    let queries = try QueryKind.packed.queries(heads.queries, lengths: Self.lengths)
    let result = try attention.attend(queries, keyValues, with: Self.causal)
    let total = Self.lengths.reduce(0, +)
    #expect(result.shape == [total + QueryKind.extraRows, 11])
    var start = 0
    for (b, length) in Self.lengths.enumerated() {
      let own = result.sliced(axis: 0, start..<start + length)
      #expect(tolerance.worstMismatch(own, expected: answers[b]) == nil, "\(source), sequence \(b)")
      start += length
    }
    // Padding has heads of 0: what is left is the bias of the output.
    let bias = try #require(attention.outputProjection.bias)
    let padding = result.sliced(axis: 0, total..<total + QueryKind.extraRows)
    #expect(padding == (try bias.broadcast(to: padding.shape)))
  }

  @Test(arguments: SourceKind.all) func paddedSequencesAreAsIfAlone(source: SourceKind) throws {
    let (attention, x, answers, tolerance) = try example()
    let heads = try attention.project(x)
    let keyValues = try source.keyValues(heads.keys, heads.values, lengths: Self.lengths)
    let queries = try QueryKind.padded.queries(heads.queries, lengths: Self.lengths)
    let result = try attention.attend(queries, keyValues, with: Self.causal)
    let bias = try #require(attention.outputProjection.bias)
    for (b, length) in Self.lengths.enumerated() {
      let own = result.selected(axis: 0, b)
      let worst = tolerance.worstMismatch(own.sliced(axis: 0, 0..<length), expected: answers[b])
      #expect(worst == nil, "\(source), sequence \(b)")
      let padding = own.sliced(axis: 0, length..<9)
      #expect(padding == (try bias.broadcast(to: padding.shape)), "\(source), sequence \(b)")
    }
  }

  @Test func refusesPackedHeadsThatAreNotItsOwn() throws {
    let attention = try example().attention
    func attend(_ q: Shape, _ k: Shape, _ v: Shape) throws -> Shape {
      try attention.attend(
        .packed(Tensor<Double>.zeros(q), lengths: [2, 3]),
        KeyValues(packedKeys: Tensor<Double>.zeros(k), values: Tensor<Double>.zeros(v), lengths: [4, 4])
      ).shape
    }
    #expect(try attend([5, 4, 6], [8, 2, 6], [8, 2, 5]) == [5, 11])
    expectRefusal(of: "queries", "[5, 2, 6]", "[total, 4, 6]") {
      try attend([5, 2, 6], [8, 2, 6], [8, 2, 5])
    }
    expectRefusal(of: "queries", "[5, 4, 7]") { try attend([5, 4, 7], [8, 2, 7], [8, 2, 5]) }
    expectRefusal(of: "packedKeys", "[8, 4, 6]", "2 heads of width 6") {
      try attend([5, 4, 6], [8, 4, 6], [8, 4, 5])
    }
    expectRefusal(of: "values", "[8, 2, 6]", "2 heads of width 5") {
      try attend([5, 4, 6], [8, 2, 6], [8, 2, 6])
    }
    expectRefusal(of: "lengths") { try attend([4, 4, 6], [8, 2, 6], [8, 2, 5]) }
    expectRefusal(of: "heads", "[5, 4, 6]", "[total, 4, 5]") {
      try attention.output(of: Tensor<Double>.zeros([5, 4, 6]))
    }
  }
}
