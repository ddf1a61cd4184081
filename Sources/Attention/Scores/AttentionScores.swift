/// A moment in the life of a score, as ONNX's `qk_matmul_output_mode` numbers them from 0.
public enum ScoreStage: Int, Hashable, Sendable, CaseIterable {
  /// `scale · (q[i] · k[j])`, of every key, visible or not.
  case scaled
  /// After the softcap, of every key.
  case softcapped
  /// After biases, ALiBi and modifiers; −∞ where the key is not visible.
  case biased
  /// After the softmax: the weights of the values, 0 where the key is not visible.
  case weights
}

/// The scores of attention, or its weights: the `Tq × Tk` matrix that attention itself never makes, for whoever asks.
///
///     weights: p[i,j], with Σ_j p[i,j] · v[j] the output of scaledDotProductAttention
///
/// Weights of a row add up to 1, to 0 where the query sees no key, and to less than 1 with sinks. For long sequences ask for some
/// `rows` at a time; positions, causal rules and masks are those of the whole problem all the same. The same score is bitwise the same
/// whichever rows are asked for, and whatever else is in the batch: rows are computed in fixed blocks of a head, up to 192 of them for a few.
///
/// - Parameters:
///   - queries: `[B, Hq, Tq, D]`.
///   - keys: `[B, Hkv, Tk, D]`.
///   - scale: the factor on the dot products; `1/√D` when nil.
///   - mask: as for attention.
///   - options: as for attention.
///   - stage: which scores.
///   - rows: the queries; all when nil.
///   - pool: the threads that work on it.
/// - Returns: `[B, Hq, rows, Tk]` in the accumulation type. Beside it a thread uses about 3 MiB, or as much as a row of `Tk` scores and 4
///   keys take where that is more.
/// - Throws: ``AttentionError`` where shapes, mask, scale, options or rows do not fit, or no memory holds the result.
public func attentionScores<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, scale: Double? = nil, mask: AttentionMask = .none,
  options: AttentionOptions = AttentionOptions(), stage: ScoreStage = .weights, rows: Range<Int>? = nil,
  on pool: WorkerPool = .shared
) throws(AttentionError) -> Tensor<Element.Accumulator> {
  let inputs = AttentionInputs(
    queries: queries, keyValues: KeyValues(keys: keys, values: keys), scale: scale, mask: mask,
    options: options)
  return try attentionScores(inputs, stage, rows: rows, on: pool)
}

/// Which scores are asked for.
struct ScoreSelection {
  let stage: ScoreStage
  let queries: Range<Int>
  /// One head of one sequence; all of all when nil.
  let head: (sequence: Int, head: Int)?
}

/// Scores of all heads, or of one: `[B, Hq, rows, Tk]`, or `[1, 1, rows, Tk]`.
///
/// - Precondition: the head exists.
func attentionScores<Element: AttentionElement>(
  _ inputs: AttentionInputs<Element>, _ stage: ScoreStage, rows: Range<Int>?,
  of head: (sequence: Int, head: Int)? = nil, on pool: WorkerPool, _ variant: KernelVariant = .best
) throws(AttentionError) -> Tensor<Element.Accumulator> {
  let problem = try AttentionProblem(inputs)
  let sizes = problem.sizes
  let rows = rows ?? 0..<sizes.queryCount
  guard rows.lowerBound >= 0, rows.upperBound <= sizes.queryCount else {
    throw AttentionError("rows", "\(rows) given, expected queries within 0..<\(sizes.queryCount)")
  }
  let pairs: Shape = head == nil ? [sizes.batch, sizes.queryHeads] : [1, 1]
  var scores: Tensor<Element.Accumulator> = try allocated(
    [pairs[0], pairs[1], rows.count, sizes.keyCount], for: "queries", inputs.queries.shape)
  let selection = ScoreSelection(stage: stage, queries: rows, head: head)
  scores.withMutableView { view in
    switch problem.accumulatorType {
    case .float64: ScoreRows<Double>(problem, selection, into: view, variant).run(on: pool)
    default: ScoreRows<Float>(problem, selection, into: view, variant).run(on: pool)
    }
  }
  withExtendedLifetime(inputs) {}
  return scores
}
