import Attention
import TestSupport
import Testing

/// Keys and values that lie in parts or in pages give, bit for bit, what one tensor gives.
@Suite struct KeyValuesTests {
  private static let shape = shape(queries: 70)

  private static func shape(queries: Int) -> ProblemShape {
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: queries, keys: 600, headDimension: 16,
      valueDimension: 12)
  }

  /// Copies of some rows, so that no part happens to lie beside another.
  private func part<E: AttentionElement>(_ k: Tensor<E>, _ v: Tensor<E>, _ range: Range<Int>) -> KeyValues {
    KeyValues(
      keys: k.sliced(axis: 2, range).contiguousCopy(), values: v.sliced(axis: 2, range).contiguousCopy())
  }

  /// Many queries read tiles; few ones stream each run where it lies.
  @Test(arguments: [[600], [1, 599], [256, 344], [0, 300, 0, 299, 1], [599, 1]], [70, 2])
  func joinedPartsAreOneTensor(lengths: [Int], queries: Int) throws {
    try check(lengths, queries, Float.self)
    try check(lengths, queries, Float16.self)
    try check(lengths, queries, Double.self)
  }

  private func check<E: AttentionElement>(_ lengths: [Int], _ queries: Int, _: E.Type) throws {
    let (q, k, v) = Self.shape(queries: queries).inputs(E.self)
    let attend = ScaledDotProductAttention(mask: .causal & .window(left: 400))
    let expected = try attend.withLogSumExp(q, KeyValues(keys: k, values: v))
    var start = 0
    var parts: [KeyValues] = []
    for length in lengths {
      parts.append(part(k, v, start..<start + length))
      start += length
    }
    let result = try attend.withLogSumExp(q, KeyValues(joining: parts))
    #expect(
      result.output == expected.output && result.logSumExp == expected.logSumExp,
      "\(E.self) \(lengths) \(queries)"
    )
  }

  /// Rows whose columns are not neighbours are brought into scratch some at a time.
  @Test(arguments: [70, 2]) func columnsNeedNotBeNeighbours(queries: Int) throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      let (q, k, v) = Self.shape(queries: queries).inputs(E.self)
      func turned(_ x: Tensor<E>) -> Tensor<E> {
        x.permuted(0, 1, 3, 2).contiguousCopy().permuted(0, 1, 3, 2)
      }
      let expected = try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal)
      let result = try scaledDotProductAttention(
        queries: q, keys: turned(k), values: turned(v), mask: .causal)
      #expect(result == expected, "\(E.self) \(queries)")
    }
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
    try check(Double.self)
  }

  /// Wide rows make tiles narrower, and by how much must not depend on where the rows lie.
  @Test(arguments: [128, 320, 512]) func wideRowsAreTheSameInParts(width: Int) throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      let shape = ProblemShape(
        heads: HeadCounts(query: 1, keyValue: 1), queries: 200, keys: 700, headDimension: width,
        valueDimension: width)
      let (q, k, v) = shape.inputs(E.self)
      let joined = KeyValues(joining: [part(k, v, 0..<300), part(k, v, 300..<700)])
      let result = try ScaledDotProductAttention()(q, joined)
      #expect(try result == scaledDotProductAttention(queries: q, keys: k, values: v), "\(E.self) \(width)")
    }
    try check(Float.self)
    try check(Double.self)
  }

  @Test func aPrefixCanBeShared() throws {
    let (q, _, _) = Self.shape.inputs(Float.self)
    let prefix = Tensor<Float>.normal([1, 2, 100, 16], seed: 5)
    let suffix = Tensor<Float>.normal([2, 2, 30, 16], seed: 6)
    let shared = try prefix.broadcast(to: [2, 2, 100, 16])
    let joined = KeyValues(joining: [
      KeyValues(keys: shared, values: shared), KeyValues(keys: suffix, values: suffix),
    ])
    let whole = try Tensor.concatenate([shared, suffix], axis: 2)
    let result = try ScaledDotProductAttention(mask: .causal)(q, joined)
    #expect(try result == scaledDotProductAttention(queries: q, keys: whole, values: whole, mask: .causal))
  }

  @Test func allFormsOfACallAgree() throws {
    let (q, k, v) = Self.shape.inputs(Float.self)
    let (attend, source) = (ScaledDotProductAttention(mask: .causal), KeyValues(keys: k, values: v))
    let expected = try attend.withLogSumExp(q, source).output
    #expect(try attend(q, source) == expected)
    #expect(try attend(Queries(q), source) == expected)
    #expect(try attend(.padded(q, lengths: [70, 70]), source) == expected)
    #expect(try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal) == expected)
    // In the layout of a projection.
    var output = Tensor<Float>(repeating: .nan, shape: [2, 70, 4, 12]).permuted(0, 2, 1, 3)
    let strides = output.strides
    try output.withMutableView { try attend.write(q, source, to: $0) }
    #expect(output == expected && output.strides == strides)
    var wrong = Tensor<Float>.zeros([2, 4, 70, 13])
    wrong.withMutableView { view in
      expectRefusal(of: "output") { try attend.write(q, source, to: view) }
    }
  }
}
