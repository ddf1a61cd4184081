import LinearAlgebra

/// A moment in the life of a score, as ONNX's `qk_matmul_output_mode` numbers them from 0.
public enum ScoreStage: Int, Hashable, Sendable, CaseIterable {
  /// `scale · (q[i] · k[j])`, of every key of the sequence, visible or not.
  case scaled
  /// After the softcap, of every key of the sequence.
  case softcapped
  /// After biases, ALiBi and modifiers; −∞ where the key is not visible.
  case biased
  /// After the softmax: the weights of the values, 0 where the key is not visible.
  case weights
}

extension ScaledDotProductAttention {
  /// The scores of attention, or its weights: the `Tq × Tk` matrix that attention itself never makes, for whoever asks.
  ///
  ///     weights: p[i,j], with Σ_j p[i,j] · v[j] the output of attention
  ///
  /// Weights of a row add up to 1, to 0 where the query sees no key, and to less than 1 with sinks. Keys past a sequence's length, which are
  /// never looked at, count as not visible: their scores are −∞ at every stage, their weights 0; so are those of rows that are padding.
  /// For long sequences ask for some `rows` at a time; positions, causal rules and masks are those of the whole problem all the same. The same
  /// score is bitwise the same whichever rows are asked for, and whatever else is in the batch: rows are computed in fixed blocks of a
  /// head, up to 192 of them for a few.
  ///
  /// - Parameters:
  ///   - queries: a tensor `[B, Hq, Tq, D]`, or padded or packed ``Queries``.
  ///   - keyValues: keys and values from any source; values are not read.
  ///   - stage: which scores.
  ///   - rows: along the axis of rows of the queries' tensor; all when nil.
  /// - Returns: `[B, Hq, rows, Tk]`, or `[Hq, rows, Tk]` for packed queries, in the accumulation type; `Tk` is the axis of tensors, the
  ///   longest sequence's number of keys of packed ones and of pages, and the sum of these over joined parts. Beside it a thread uses about 3 MiB, or as much as a row of `Tk` scores and 4 keys take where that is
  ///   more.
  /// - Throws: ``AttentionError`` where something does not fit, or no memory holds the result.
  public func scores<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, stage: ScoreStage = .weights, rows: Range<Int>? = nil
  ) throws(AttentionError) -> Tensor<Q.Element.Accumulator> {
    try scores(queries, keyValues, ScoreRequest(stage: stage, rows: rows), .best)
  }

  /// The same by the kernels of one instruction set, of all heads or of one.
  ///
  /// - Returns: as ``scores(_:_:stage:rows:)``; `[rows, Tk]` of one head.
  func scores<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, _ request: ScoreRequest, _ variant: KernelVariant
  ) throws(AttentionError) -> Tensor<Q.Element.Accumulator> {
    let operands = queries.queries.rows
    let problem = try AttentionProblem(self, operands, keyValues)
    let selection = try ScoreSelection(problem, request)
    var scores: Tensor<Q.Element.Accumulator> = try allocated(
      selection.shape(problem), for: "queries", operands.tensor.shape)
    scores.withMutableView { view in
      switch problem.accumulatorType {
      case .float64: ScoreRows<Double>(problem, selection, into: view, variant).run(on: pool)
      case .float32: ScoreRows<Float>(problem, selection, into: view, variant).run(on: pool)
      }
    }
    withExtendedLifetime((operands, keyValues)) {}
    return scores
  }
}

/// Which scores are asked for.
struct ScoreRequest {
  var stage = ScoreStage.weights
  /// Along the axis of rows of the queries' tensor, or of the queries of one sequence where a head is given; all when nil.
  var rows: Range<Int>?
  /// One head of one sequence; all of all when nil.
  var head: (sequence: Int, head: Int)?
}

/// The scores that are computed, checked against the problem.
struct ScoreSelection {
  let stage: ScoreStage
  let sequences: Range<Int>
  let heads: Range<Int>
  /// Rows of the queries' tensor, or queries of the one sequence.
  let rows: Range<Int>
  let isOneHead: Bool

  init(_ problem: AttentionProblem, _ request: ScoreRequest) throws(AttentionError) {
    stage = request.stage
    let sizes = problem.sizes
    sequences = request.head.map { $0.sequence..<$0.sequence + 1 } ?? 0..<sizes.batch
    heads = request.head.map { $0.head..<$0.head + 1 } ?? 0..<sizes.queryHeads
    isOneHead = request.head != nil
    let count = request.head == nil ? problem.layout.rowCount : sizes.queryCount
    rows = request.rows ?? 0..<count
    guard rows.lowerBound >= 0, rows.upperBound <= count else {
      throw AttentionError("rows", "\(rows) given, expected queries within 0..<\(count)")
    }
  }

  func shape(_ problem: AttentionProblem) -> Shape {
    let keys = problem.sizes.keyCount
    if isOneHead { return [rows.count, keys] }
    return problem.layout.isPacked
      ? [heads.count, rows.count, keys] : [sequences.count, heads.count, rows.count, keys]
  }

  /// The queries of a sequence that are asked for, and what to add to one for its row of the result.
  func queries(of extent: SequenceExtent, isPacked: Bool) -> (range: Range<Int>, offset: Int) {
    let start = isPacked && !isOneHead ? extent.queryStart : 0
    let last = isPacked && !isOneHead ? extent.queryCount : Int.max
    let lower = min(max(0, rows.lowerBound - start), last)
    let upper = min(max(lower, rows.upperBound - start), last)
    return (lower..<upper, start - rows.lowerBound)
  }
}
