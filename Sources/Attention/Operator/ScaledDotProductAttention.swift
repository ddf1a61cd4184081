import Parallelism

/// Attention: every query's average of the values, weighted by the softmax of its scaled dot products with the keys.
///
///     s[i,j] = scale · (q[i] · k[j])
///     s[i,j] = softcap · tanh(s[i,j] / softcap)            where a softcap is given
///     s[i,j] += bias[i,j]                                  additive masks, then ALiBi, then modifiers
///     s[i,j] = −∞                                          where key j is not visible to query i
///     p[i,j] = exp(s[i,j] − m[i]) / (Σ_j exp(s[i,j] − m[i]) + exp(sink[h] − m[i]))     m[i] = max_j s[i,j]
///     y[i]   = Σ_j p[i,j] · v[j]                           the sink's term only where sinks are given
///
/// The value holds what is constant in a model: scale, mask, options and threads. Queries, keys and values come with each call:
///
///     let attend = ScaledDotProductAttention(mask: .causal)
///     let y = try attend(q, KeyValues(keys: k, values: v))                           // a new tensor
///     let (y, lse) = try attend.withLogSumExp(q, keyValues)                          // and the log-sum-exp of each row
///     try attend.write(.packed(q, lengths: [1, 1, 256]), keyValues, to: view)        // the caller's memory
///     print(try attend.plan(q, keyValues))                                           // how it is computed, and why
///
/// Glossary: `B` sequences, `Hq` query heads, `Hkv` key/value heads, `Tq` queries, `Tk` keys, `D` and `Dv` the widths of a
/// key and of a value. Query head `h` reads key/value head `h / (Hq / Hkv)` (grouped-query attention; keys and values are
/// never repeated in memory).
///
/// Shapes: queries `[B, Hq, Tq, D]` give an output `[B, Hq, Tq, Dv]` and a log-sum-exp `[B, Hq, Tq]`; packed ones `[total, Hq, D]` give
/// `[total, Hq, Dv]` and `[Hq, total]`. The output has the type of the queries; keys and values have types of their own (Float64 keys or
/// values need Float64 queries). Scores and sums are kept in ``AttentionElement/Accumulator``.
///
/// Edges: a query that sees no key yields 0 and a log-sum-exp of −∞; NaN or ∞ in keys and values that no query sees reaches nothing; NaN
/// in what is visible reaches exactly the outputs that depend on it; scores of any finite size are exact; a single score of +∞
/// takes all the weight, several make the row NaN. The same inputs give bitwise the same output on any number of threads, alone,
/// in a batch or packed, and from any source of keys and values.
///
/// Memory: tiles of scores pass through a fixed workspace for each thread (``AttentionPlan/workspaceBytesPerThread``). Keys and values
/// that threads share in parts leave `Dv + 2` numbers for each row and part of 1024 keys (``AttentionPlan/partialBytes``). No `Tq × Tk`
/// matrix exists. Inputs are read where they lie, whatever their strides.
///
/// - SeeAlso: Vaswani et al. 2017, "Attention Is All You Need"; the running softmax over tiles is that of Milakov and
///   Gimelshein 2018, "Online normalizer calculation for softmax".
public struct ScaledDotProductAttention: Sendable {
  /// The factor on the dot products; `1/√D` when nil.
  public var scale: Double?

  /// Which keys each query sees and what is added to its scores.
  public var mask: AttentionMask

  /// Softcap, sinks, precision.
  public var options: AttentionOptions

  /// The threads that work on a call.
  public var pool: WorkerPool

  /// Attention with these rules; plain attention by default.
  public init(
    scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(),
    on pool: WorkerPool = .shared
  ) {
    self.scale = scale
    self.mask = mask
    self.options = options
    self.pool = pool
  }
}

// MARK: - Calls

extension ScaledDotProductAttention {
  /// The output in a new tensor, row-major.
  ///
  /// One allocation beside it: the checked problem.
  /// - Parameters:
  ///   - queries: a tensor `[B, Hq, Tq, D]`, or padded or packed ``Queries``.
  ///   - keyValues: keys and values from any source.
  /// - Throws: ``AttentionError`` where shapes, lengths, types, mask, scale or options do not fit; nothing is computed then.
  public func callAsFunction<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) -> Tensor<Q.Element> {
    let rows = queries.queries.rows
    let call = try PlannedAttention(self, rows, keyValues)
    var output: Tensor<Q.Element> = try newTensor(call.problem.layout.outputShape, call)
    try output.withMutableView { (output) throws(AttentionError) in
      try call.run(into: AttentionResult(output), on: pool)
    }
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
    return output
  }

  /// The output, and the logarithm of each row's softmax denominator, which is what ``mergeAttention(_:on:)`` needs.
  ///
  ///     logSumExp[i] = m[i] + ln Σ_j exp(s[i,j] − m[i])       natural logarithm; −∞ for a query that sees no key; sinks do not count
  ///
  /// - Returns: both in new tensors, row-major; the log-sum-exp in the accumulation type.
  /// - Throws: ``AttentionError``, as ``callAsFunction(_:_:)``.
  public func withLogSumExp<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) -> (output: Tensor<Q.Element>, logSumExp: Tensor<Q.Element.Accumulator>) {
    let rows = queries.queries.rows
    let results: (Tensor<Q.Element>, Tensor<Q.Element.Accumulator>) = try newResults(
      of: PlannedAttention(self, rows, keyValues))
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
    return results
  }

  /// The output in memory of the caller's: a tensor's (``Tensor/withMutableView(_:)``), a slice of a larger one, or a buffer of another library.
  ///
  /// - Parameters:
  ///   - queries: a tensor `[B, Hq, Tq, D]`, or padded or packed ``Queries``.
  ///   - keyValues: keys and values from any source.
  ///   - output: `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` for packed queries, in any strides that give each element a place of its own,
  ///     none of them in the inputs. All of it is overwritten.
  ///   - logSumExp: `[B, Hq, Tq]`, or `[Hq, total]`, likewise; not computed when nil.
  /// - Throws: ``AttentionError``, as ``callAsFunction(_:_:)``; nothing is written then.
  public func write<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, to output: MutableTensorView<Q.Element>,
    logSumExp: MutableTensorView<Q.Element.Accumulator>? = nil
  ) throws(AttentionError) {
    let rows = queries.queries.rows
    let call = try PlannedAttention(self, rows, keyValues)
    let result = try AttentionResult(output, logSumExp: logSumExp, checkedFor: call.problem.layout)
    try call.run(into: result, on: pool)
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
  }

  /// How a call with these operands is computed, ready to run: made once for a step, it runs for each layer whose tensors have the same
  /// sizes.
  ///
  /// Allocates the plan, the checked problem and all scratch memory of its runs; nothing is computed.
  /// - Throws: ``AttentionError``, as ``callAsFunction(_:_:)``.
  public func plan<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) -> AttentionPlan {
    try AttentionPlan(PlannedAttention(self, queries.queries.rows, keyValues), self)
  }
}

extension ScaledDotProductAttention {
  /// Throws what a call with these operands would throw for what they are; computes and plans nothing.
  package func checkCall<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) {
    let rows = queries.queries.rows
    _ = try AttentionProblem(self, rows, keyValues)
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
  }

  /// The scratch memory that a call takes, in bytes, for programs that look whether there is so much.
  ///
  /// - Throws: ``AttentionError``, as the call would.
  package func scratchBytes<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) -> Int {
    try PlannedAttention(self, queries.queries.rows, keyValues).scratch.byteCount
  }

  /// The results of a planned call in new tensors. Its operands are alive meanwhile.
  func newResults<Element: AttentionElement>(
    of call: PlannedAttention
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    var output: Tensor<Element> = try newTensor(call.problem.layout.outputShape, call)
    var logSumExp: Tensor<Element.Accumulator> = try newTensor(call.problem.layout.logSumExpShape, call)
    try output.withMutableView { (output) throws(AttentionError) in
      try logSumExp.withMutableView { (sums) throws(AttentionError) in
        try call.run(into: AttentionResult(output, logSumExp: sums), on: pool)
      }
    }
    return (output, logSumExp)
  }
}

/// A new row-major tensor that the caller fills; throws where there is no memory for it.
private func newTensor<Element: TensorElement>(
  _ shape: Shape, _ call: PlannedAttention
) throws(AttentionError) -> Tensor<Element> {
  try allocated(shape, for: "queries", call.problem.layout.given.queries.shape)
}

/// Attention of queries, keys and values in a tensor each: ``ScaledDotProductAttention`` in one call, on the threads of
/// ``WorkerPool/shared``.
///
/// - Parameters:
///   - queries: `[B, Hq, Tq, D]`.
///   - keys: `[B, Hkv, Tk, D]`, `Hkv` dividing `Hq`.
///   - values: `[B, Hkv, Tk, Dv]`.
///   - scale: the factor on the dot products; `1/√D` when nil.
///   - mask: which keys each query sees and what is added to its scores.
///   - options: softcap, sinks, precision.
/// - Returns: `[B, Hq, Tq, Dv]`, row-major, in the type of the queries.
/// - Throws: ``AttentionError`` where shapes, types, mask, scale or options do not fit; nothing is computed then.
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<some AttentionElement>, values: Tensor<some AttentionElement>,
  scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions()
) throws(AttentionError) -> Tensor<Element> {
  try ScaledDotProductAttention(scale: scale, mask: mask, options: options)(
    queries, KeyValues(keys: keys, values: values))
}
