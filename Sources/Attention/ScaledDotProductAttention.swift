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
/// Glossary: `B` sequences, `Hq` query heads, `Hkv` key/value heads, `Tq` queries, `Tk` keys, `D` and `Dv` the widths of a
/// key and of a value. Query head `h` reads key/value head `h / (Hq / Hkv)` (grouped-query attention; keys and values are
/// never repeated in memory). Names and layout follow MLX's `scaledDotProductAttention`.
///
/// Edges: a query that sees no key yields 0; NaN or ∞ in keys and values that no query sees reaches nothing; NaN in what
/// is visible reaches exactly the outputs that depend on it; logits of any finite size are exact; a single score of +∞
/// takes all the weight, several make the row NaN. The same inputs give bitwise the same output on any number of threads.
///
/// Memory: tiles of scores pass through a fixed workspace a thread (``AttentionPlan/workspaceBytesPerThread``); no `Tq × Tk`
/// matrix exists. Inputs are read where they lie, whatever their strides; beside the output, nothing that grows with
/// them is allocated.
///
/// - Parameters:
///   - queries: `[B, Hq, Tq, D]`.
///   - keys: `[B, Hkv, Tk, D]`, `Hkv` dividing `Hq`.
///   - values: `[B, Hkv, Tk, Dv]`.
///   - scale: the factor on the dot products; `1/√D` when nil.
///   - mask: which keys each query sees and what is added to its scores.
///   - options: softcap, sinks, precision.
///   - pool: the threads that work on it.
/// - Returns: `[B, Hq, Tq, Dv]`, row-major, in the type of the inputs; scores and sums are kept in
///   ``AttentionElement/Accumulator``.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit; nothing is computed then.
/// - SeeAlso: Vaswani et al. 2017, "Attention Is All You Need"; the running softmax over tiles is that of Milakov and
///   Gimelshein 2018, "Online normalizer calculation for softmax".
@_specialize(where Element == Float)
@_specialize(where Element == Float16)
@_specialize(where Element == BFloat16)
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
) throws(AttentionError) -> Tensor<Element> {
  let inputs = AttentionInputs(
    queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
    options: options)
  let problem = try AttentionProblem(inputs)
  return try inputs.withOutput(of: problem) { output in
    attend(problem, into: AttentionResult(output: output), on: pool)
  }
}

/// Attention that also returns the logarithm of each row's softmax denominator, which is what merging with the attention
/// over other keys needs.
///
///     logSumExp[i] = m[i] + ln Σ_j exp(s[i,j] − m[i])       natural logarithm; −∞ for a query that sees no key
///
/// Everything else is as in ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:)``.
///
/// - Returns: `output` `[B, Hq, Tq, Dv]` and `logSumExp` `[B, Hq, Tq]`, the latter in the accumulation type.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit.
@_specialize(where Element == Float)
@_specialize(where Element == Float16)
@_specialize(where Element == BFloat16)
public func scaledDotProductAttentionWithLogSumExp<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
  let inputs = AttentionInputs(
    queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
    options: options)
  let problem = try AttentionProblem(inputs)
  return try inputs.withOutputAndLogSumExp(of: problem) { attend(problem, into: $0, on: pool) }
}

/// Attention written into a tensor that exists already, in whatever layout it has.
///
/// Where `output`'s storage is not shared, the result is written in place, and the strides stay. So
/// `[B, T, H, D]` memory seen as `[B, H, T, D]` receives the layout that the output projection reads
/// (`output.mergeHeads()` is then a view):
///
///     var output = Tensor<Float>.zeros([B, T, H, D]).permuted(0, 2, 1, 3)
///     try scaledDotProductAttention(queries: q, keys: k, values: v, into: &output)
///
/// Everything else is as in ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:)``.
///
/// - Parameter output: `[B, Hq, Tq, Dv]` in any strides; all of it is overwritten.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit; `output` is unchanged then.
@_specialize(where Element == Float)
@_specialize(where Element == Float16)
@_specialize(where Element == BFloat16)
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared,
  into output: inout Tensor<Element>
) throws(AttentionError) {
  let inputs = AttentionInputs(
    queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
    options: options)
  let problem = try AttentionProblem(inputs)
  try inputs.check(output: output.shape, problem.sizes)
  output.withMutableView { attend(problem, into: AttentionResult(output: $0), on: pool) }
  withExtendedLifetime(inputs) {}
}

/// Attention written through views of memory that the caller owns: a slice of a larger tensor, or a buffer of another library.
///
/// Everything else is as in ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:)``.
///
/// - Parameters:
///   - output: `[B, Hq, Tq, Dv]` in any strides that give each element a place of its own, none of them in the inputs.
///   - logSumExp: `[B, Hq, Tq]`, likewise; not computed when nil.
/// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit; nothing is written then.
@_specialize(where Element == Float)
@_specialize(where Element == Float16)
@_specialize(where Element == BFloat16)
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared,
  into output: MutableTensorView<Element>,
  logSumExp: MutableTensorView<Element.Accumulator>? = nil
) throws(AttentionError) {
  let inputs = AttentionInputs(
    queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
    options: options)
  let problem = try AttentionProblem(inputs)
  try inputs.check(output: output.shape, problem.sizes)
  try checkDistinct(output.shape, output.strides, named: "output")
  if let logSumExp {
    try check(logSumExp.shape, is: inputs.logSumExpShape(problem.sizes), named: "logSumExp")
    try checkDistinct(logSumExp.shape, logSumExp.strides, named: "logSumExp")
  }
  attend(problem, into: AttentionResult(output: output, logSumExp: logSumExp), on: pool)
  withExtendedLifetime(inputs) {}
}

/// Plans a problem and runs it.
func attend(
  _ problem: AttentionProblem, into result: AttentionResult, on pool: WorkerPool,
  _ variant: KernelVariant = .best
) {
  let padding = problem.paddedRows
  if !padding.isEmpty {
    pool.run(padding.count) { result.clear(padding[$0].rows, sequence: padding[$0].sequence, problem.sizes) }
  }
  let tasks = BlockSchedule(problem, threads: pool.threadCount, variant)
  switch problem.accumulatorType {
  case .float64: BlockKernels<Double>(problem, tasks, result, variant).run(on: pool)
  default: BlockKernels<Float>(problem, tasks, result, variant).run(on: pool)
  }
}
