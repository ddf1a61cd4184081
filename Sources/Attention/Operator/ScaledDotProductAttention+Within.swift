import Parallelism

/// Attention within a tolerance, with a bound for each row: see ``ScaledDotProductAttention/within(_:_:_:)``.
public struct BoundedAttentionResult<Element: AttentionElement>: Sendable {
  /// `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` for packed queries.
  public let output: Tensor<Element>

  /// `[B, Hq, Tq]`, or `[Hq, total]`: by how much a component of the row can differ from attention over the 16-bit keys, in units of the
  /// largest `|v|` that the row sees. Infinite where scores are not finite, or a modifier changes them.
  public let bounds: Tensor<Float>

  /// Rows of low bytes that were read.
  public let lowByteReads: LowByteReads
}

/// How many rows of low bytes a call read, of how many that it could have read: in each key/value head the keys that queries see, in whole tiles, and
/// once more for every 32 rows of queries that are computed together.
public struct LowByteReads: Sendable, Equatable {
  /// Rows that were read.
  public internal(set) var read = 0
  /// Rows that there are.
  public internal(set) var seen = 0

  /// None of none.
  public init() {}

  /// The share that was read; 0 of none.
  public var share: Double { seen == 0 ? 0 : Double(read) / Double(seen) }

  /// Adds up what several calls read.
  public static func += (sum: inout LowByteReads, other: LowByteReads) {
    sum.read += other.read
    sum.seen += other.seen
  }
}

extension ScaledDotProductAttention {
  /// Attention over keys of two planes that reads only those low bytes which the tolerance asks for, and says for each row how far the
  /// result can be off.
  ///
  ///     let pool = try KeyValuePool(layers: 30, heads: 3, depth: 64, keys: .planes, values: .int8, pageSize: 64, pages: 512)
  ///     let result = try attend.within(0.01, q, step.keyValues(layer: 0))
  ///     result.output, result.bounds, result.lowByteReads.share
  ///
  /// With `y` the attention over the keys that are stored, in 16 bits, and `ŷ` the output before it is rounded to its type,
  ///
  ///     |ŷ[i,c] − y[i,c]| ≤ bounds[i] · max_j |v[j]|          for every row i and component c, over the keys j that row i sees
  ///
  /// and `bounds[i] ≤ tolerance` wherever Float arithmetic allows it: with all low bytes read, rounding alone adds 1.4e-4, 2.4e-7 more for every
  /// 1024 keys, and more where scores are large. The bound is proven, not estimated. What rounding values to their storage type costs is not in it,
  /// nor what rounds where several biases, or a bias and ALiBi, are added up.
  ///
  /// For few queries over long keys: decode. High bytes are read once for all query heads of a group, and a row of low bytes where some row
  /// of the group needs it; scores pass through memory, 8 bytes a row and key. Many queries are computed too, but faster by a call without
  /// tolerance, which reads both planes. Softcap, biases, ALiBi, masks and sinks cost no more than elsewhere; under score modifiers
  /// all low bytes are read, and no bound is known. The same inputs give bitwise the same output and bounds on any number of threads.
  ///
  /// - Parameters:
  ///   - tolerance: what a row's bound may be, from 0 on: 0.01, say. At 0 all low bytes are read.
  ///   - queries: Float, BFloat16 or Float16, `[B, Hq, Tq, D]`, or padded or packed ``Queries``.
  ///   - keyValues: a layer of a cache whose keys are ``KeyValueType/planes``, or such parts joined.
  /// - Throws: ``AttentionError`` as a call without tolerance does, and where keys are of another type, sums are kept in Double, or the
  ///   tolerance is negative or not finite.
  public func within<Q: AttentionQueries>(
    _ tolerance: Double, _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) -> BoundedAttentionResult<Q.Element> {
    let rows = queries.queries.rows
    let call = try PlannedBounds(self, tolerance: tolerance, rows, keyValues)
    let (layout, shape) = (call.problem.layout, call.problem.layout.given.queries.shape)
    var output: Tensor<Q.Element> = try allocated(layout.outputShape, for: "queries", shape)
    var bounds: Tensor<Float> = try allocated(layout.logSumExpShape, for: "queries", shape)
    var reads = LowByteReads()
    try output.withMutableView { (output) throws(AttentionError) in
      try bounds.withMutableView { (bounds) throws(AttentionError) in
        reads = try call.run(into: AttentionResult(output), RowNumbers(ofFloats: bounds), on: pool)
      }
    }
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
    return BoundedAttentionResult(output: output, bounds: bounds, lowByteReads: reads)
  }

  /// The same in memory of the caller's.
  ///
  /// - Parameters:
  ///   - tolerance: what a row's bound may be.
  ///   - queries: as above.
  ///   - keyValues: as above.
  ///   - output: `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` for packed queries, in any strides that give each element a place of its own, none
  ///     of them in the inputs. All of it is overwritten.
  ///   - bounds: `[B, Hq, Tq]`, or `[Hq, total]`, likewise.
  /// - Returns: how many rows of low bytes were read.
  /// - Throws: ``AttentionError``, as above; nothing is written then.
  @discardableResult
  public func write<Q: AttentionQueries>(
    within tolerance: Double, _ queries: Q, _ keyValues: KeyValues, to output: MutableTensorView<Q.Element>,
    bounds: MutableTensorView<Float>
  ) throws(AttentionError) -> LowByteReads {
    let rows = queries.queries.rows
    let call = try PlannedBounds(self, tolerance: tolerance, rows, keyValues)
    let result = try AttentionResult(output, logSumExp: nil, checkedFor: call.problem.layout)
    try check(bounds.shape, is: call.problem.layout.logSumExpShape, named: "bounds")
    try checkDistinct(bounds.shape, bounds.strides, named: "bounds")
    let reads = try call.run(into: result, RowNumbers(ofFloats: bounds), on: pool)
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
    return reads
  }
}
