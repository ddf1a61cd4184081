import Attention
import Parallelism
import TensorFiles

/// What one call of attention needs, from a case file.
struct AttentionCase<Element: AttentionElement>: ComputableCase {
  let operands: CaseOperands<Element>
  /// nil for `1/√D`
  let scale: Double?
  let mask: AttentionMask
  let options: AttentionOptions
  /// `nonpad_kv_seqlen`
  let keyLengths: [Int]?
  /// The scores that are a result too.
  let scoreStage: ScoreStage?
  /// Whether the file has its queries as `[B, T, H·D]`, and wants its output so.
  let isMerged: Bool

  /// Reads the tensors of a file that ``checkCaseTensors(of:)`` has passed.
  init(_ file: SafetensorsFile, _ attributes: CaseAttributes) throws {
    operands = try CaseOperands(file, attributes)
    let (heads, keyCount) = (operands.queryHeads, operands.keyCount)
    keyLengths = try file.keyLengths(batch: operands.batch, keyCount: keyCount)
    scale = attributes.scale
    let rules = attributes.mask(
      pastLength: operands.pastLength, keyLengths: keyLengths,
      alibiSlopes: try file.alibiSlopes(heads: heads))
    mask = try rules & file.attentionMask(keyCount: keyCount)
    options = AttentionOptions(
      softcap: attributes.softcap, sinks: try file.numbers("sinks", heads: heads),
      softmaxPrecision: attributes.softmaxPrecision)
    scoreStage = attributes.scoreStage
    if case .packed = operands { isMerged = false } else { isMerged = file["Q"]?.shape.count == 3 }
  }

  /// Queries `[B, Hq, Tq, D]`, keys `[B, Hkv, Tk, D]` and values `[B, Hkv, Tk, Dv]`, for what needs them as tensors. Pages are
  /// gathered.
  ///
  /// - Throws: ``CaseError`` for packed sequences, which have no such shapes, and for pages that do not exist.
  func inOnePiece() throws(CaseError) -> (
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>
  ) {
    switch operands {
    case .padded(let queries, let keys, let values, _): return (queries, keys, values)
    case .paged(let queries, let pages):
      return try (
        queries, pages.gathered(pages.keys, lengths: keyLengths),
        pages.gathered(pages.values, lengths: keyLengths)
      )
    case .packed: throw CaseError("cu_seqlens_q", "packed sequences given, expected a batch for this")
    }
  }
}

// MARK: - Results

extension AttentionCase {
  /// `Y` in the layout and type of `Q`, and `lse` `[B, Hq, Tq]`, or `[Hq, total]` where sequences are packed. With a past
  /// `present_key` and `present_value` `[B, Hkv, Tk, D]`; with a stage of scores `qk_matmul_output` `[B, Hq, Tq, Tk]` in the type of `Q`.
  func results(on pool: WorkerPool) throws -> SafetensorsWriter {
    var writer = SafetensorsWriter()
    let (output, logSumExp) = try attend(on: pool)
    try writer.add("Y", isMerged ? output.mergeHeads() : output)
    try writer.add("lse", logSumExp)
    if case .padded(_, let keys, let values, .some) = operands {
      try writer.add("present_key", keys)
      try writer.add("present_value", values)
    }
    if let scoreStage {
      try writer.add("qk_matmul_output", scores(at: scoreStage, on: pool).converted(to: Element.self))
    }
    return writer
  }

  private func attend(
    on pool: WorkerPool
  ) throws -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    switch operands {
    case .padded(let queries, let keys, let values, _):
      try scaledDotProductAttentionWithLogSumExp(
        queries: queries, keys: keys, values: values, scale: scale, mask: mask, options: options, on: pool)
    case .paged(let queries, let pages):
      try scaledDotProductAttentionWithLogSumExp(
        queries: queries, keyValues: pages.keyValues, scale: scale, mask: mask, options: options, on: pool)
    case .packed(let queries, let keys, let values, let sequences):
      try packedScaledDotProductAttention(
        queries: queries, keys: keys, values: values, sequences: sequences, scale: scale, mask: mask,
        options: options, on: pool)
    }
  }

  private func scores(at stage: ScoreStage, on pool: WorkerPool) throws -> Tensor<Element.Accumulator> {
    let (queries, keys, _) = try inOnePiece()
    return try attentionScores(
      queries: queries, keys: keys, scale: scale, mask: mask, options: options, stage: stage, on: pool)
  }

  func explanation(on pool: WorkerPool) throws -> String {
    switch operands {
    case .padded(let queries, let keys, let values, _):
      try AttentionPlan(
        queries: queries, keys: keys, values: values, scale: scale, mask: mask, options: options, on: pool
      ).description
    case .paged(let queries, let pages):
      try AttentionPlan(
        queries: queries, keyValues: pages.keyValues, scale: scale, mask: mask, options: options, on: pool
      ).description
    case .packed(let queries, let keys, let values, let sequences):
      try AttentionPlan(
        packedQueries: queries, keys: keys, values: values, sequences: sequences, scale: scale, mask: mask,
        options: options, on: pool
      ).description
    }
  }
}

/// Checks that a file has the tensors of a case of `Attention` and no others, keys and values of one type with the queries.
///
/// - Returns: the element type of `Q`, `K` and `V`.
/// - Throws: ``CaseError`` for tensors that are missing, unknown or of another type, or of one that attention does not take.
func checkCaseTensors(of file: SafetensorsFile) throws(CaseError) -> any AttentionElement.Type {
  try file.checkTensorNames(of: .attention)
  let type = try file.elementType(of: "Q", "the queries of the case")
  for (name, what) in [("K", "keys"), ("V", "values")] {
    _ = try file.elementType(of: name, "the \(what) of the case", asIn: "Q")
  }
  for name in ["past_key", "past_value"] where file[name] != nil {
    _ = try file.elementType(of: name, "", asIn: "Q")
  }
  return try type.attentionElement(of: "Q")
}
