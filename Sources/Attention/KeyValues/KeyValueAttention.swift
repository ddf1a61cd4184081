import Parallelism

/// Attention over keys and values from any source: parts that follow each other, or pages; see ``KeyValues``.
///
/// Everything else is as in ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:)``: the result is, bit for bit, that
/// of one tensor with the same keys and values in the same order.
///
/// - Returns: `[B, Hq, Tq, Dv]`.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit.
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keyValues: KeyValues<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
) throws(AttentionError) -> Tensor<Element> {
  let inputs = AttentionInputs(
    queries: queries, keyValues: keyValues, scale: scale, mask: mask, options: options)
  let problem = try AttentionProblem(inputs)
  return try inputs.withOutput(of: problem) { output in
    attend(problem, into: AttentionResult(output: output), on: pool)
  }
}

/// Attention over keys and values from any source that also returns the log-sum-exp of each row, as
/// ``scaledDotProductAttentionWithLogSumExp(queries:keys:values:scale:mask:options:on:)`` does.
///
/// - Returns: `output` `[B, Hq, Tq, Dv]` and `logSumExp` `[B, Hq, Tq]`.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit.
public func scaledDotProductAttentionWithLogSumExp<Element: AttentionElement>(
  queries: Tensor<Element>, keyValues: KeyValues<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
  let inputs = AttentionInputs(
    queries: queries, keyValues: keyValues, scale: scale, mask: mask, options: options)
  let problem = try AttentionProblem(inputs)
  return try inputs.withOutputAndLogSumExp(of: problem) { attend(problem, into: $0, on: pool) }
}

/// Attention over keys and values from any source, written into a tensor that exists already, as
/// ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:into:)`` does.
///
/// - Parameter output: `[B, Hq, Tq, Dv]` in any strides; all of it is overwritten.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit; `output` is unchanged then.
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keyValues: KeyValues<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared,
  into output: inout Tensor<Element>
) throws(AttentionError) {
  let inputs = AttentionInputs(
    queries: queries, keyValues: keyValues, scale: scale, mask: mask, options: options)
  let problem = try AttentionProblem(inputs)
  try inputs.check(output: output.shape, problem.sizes)
  output.withMutableView { attend(problem, into: AttentionResult(output: $0), on: pool) }
  withExtendedLifetime(inputs) {}
}
