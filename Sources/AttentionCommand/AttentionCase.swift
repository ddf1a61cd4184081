import Attention
import Parallelism
import TensorFiles

/// What one call of attention needs, from a case file.
struct AttentionCase<Element: AttentionElement>: ComputableCase {
  let operands: CaseOperands<Element>
  private let rules: ScaledDotProductAttention
  /// The scores that are a result too.
  let scoreStage: ScoreStage?
  /// Whether the file has its queries as `[B, T, H·D]`, and wants its output so.
  let isMerged: Bool

  /// Reads and checks the tensors of a file that ``checkCaseTensors(of:)`` has passed: every command that takes a case takes it from
  /// here, so that what one refuses, all refuse.
  ///
  /// - Throws: ``CaseError`` and `AttentionError` for what attention would refuse, and for results that no memory holds.
  init(_ file: SafetensorsFile, _ attributes: CaseAttributes, on pool: WorkerPool) throws {
    operands = try CaseOperands(file, attributes)
    let mask = try attributes.mask(
      pastLength: operands.pastLength, keyLengths: operands.keyLengths,
      alibiSlopes: file.alibiSlopes(heads: operands.queryHeads))
    rules = ScaledDotProductAttention(
      scale: attributes.scale,
      mask: try mask & file.attentionMask(of: operands.scoreShape, keyCount: operands.keyCount),
      options: AttentionOptions(
        softcap: attributes.softcap, sinks: try file.numbers("sinks", heads: operands.queryHeads),
        softmaxPrecision: attributes.softmaxPrecision), on: pool)
    scoreStage = attributes.scoreStage
    isMerged = file["cu_seqlens_q"] == nil && file["Q"]?.shape.count == 3
    try MemoryNeed.check(needs(on: pool))
  }

  /// What the case asks for, on some threads.
  func attention(on pool: WorkerPool) -> ScaledDotProductAttention {
    var attention = rules
    attention.pool = pool
    return attention
  }
}

// MARK: - Results

extension AttentionCase {
  /// `Y` in the layout and type of `Q`, and `lse` `[B, Hq, Tq]`, or `[Hq, total]` where sequences are packed. With a past
  /// `present_key` and `present_value` `[B, Hkv, Tk, D]`; with a stage of scores `qk_matmul_output` `[B, Hq, Tq, Tk]` in the type of `Q`.
  func results(on pool: WorkerPool) throws -> SafetensorsWriter {
    var writer = SafetensorsWriter()
    let attend = attention(on: pool)
    let (output, logSumExp) = try attend.withLogSumExp(operands.queries, operands.keyValues)
    try writer.add("Y", isMerged ? output.mergeHeads() : output)
    try writer.add("lse", logSumExp)
    if let present = operands.present {
      try writer.add("present_key", present.keys)
      try writer.add("present_value", present.values)
    }
    if let scoreStage {
      let keyValues =
        switch scoreStage {
        case .scaled, .softcapped: operands.unmaskedKeyValues
        case .biased, .weights: operands.keyValues
        }
      let scores = try attend.scores(operands.queries, keyValues, stage: scoreStage)
      try writer.add(
        "qk_matmul_output", operands.withAllKeys(scores, at: scoreStage).converted(to: Element.self))
    }
    return writer
  }

  func explanation(on pool: WorkerPool) throws -> String {
    try attention(on: pool).plan(operands.queries, operands.keyValues).description
  }
}

/// Checks that a file has the tensors of a case of `Attention` and no others, keys and values of one type with the queries or of Int8.
///
/// - Returns: the element type of `Q`.
/// - Throws: ``CaseError`` for tensors that are missing, unknown or of another type, or of one that attention does not take.
func checkCaseTensors(of file: SafetensorsFile) throws(CaseError) -> any AttentionElement.Type {
  try file.checkTensorNames(of: .attention)
  let type = try file.elementType(of: "Q", "the queries of the case").attentionElement(of: "Q")
  for rows in RowTensor.allCases {
    try file.checkTypes(of: rows)
    if file[rows.past] != nil { _ = try file.elementType(of: rows.past, "", asIn: "Q") }
  }
  return type
}
