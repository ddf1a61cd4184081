import Attention
import Parallelism
import TensorFiles

/// What one call of attention needs, from a case file.
struct AttentionCase<Element: AttentionElement> {
  /// `[B, Hq, Tq, D]`
  let queries: Tensor<Element>
  /// `[B, Hkv, Tk, D]`
  let keys: Tensor<Element>
  /// `[B, Hkv, Tk, Dv]`
  let values: Tensor<Element>
  /// nil for `1/√D`
  let scale: Double?
  let mask: AttentionMask
  /// Whether the file has its tensors as `[B, T, H·D]`, and wants its output so.
  let isMerged: Bool

  /// Reads the tensors of a file that ``checkCaseTensors(of:)`` has passed. Views where possible: nothing is copied.
  init(_ file: SafetensorsFile, _ attributes: CaseAttributes) throws {
    let queryEntry = file["Q"]
    isMerged = queryEntry?.shape.count == 3
    queries = try Self.heads(of: "Q", in: file, attributes.queryHeads, "q_num_heads", isMerged)
    keys = try Self.heads(of: "K", in: file, attributes.keyHeads, "kv_num_heads", isMerged)
    values = try Self.heads(of: "V", in: file, attributes.keyHeads, "kv_num_heads", isMerged)
    scale = attributes.scale
    let keyCount = keys.shape[2]
    let keyLengths = try file.keyLengths(batch: queries.shape[0], keyCount: keyCount)
    mask = try attributes.mask(keyLengths: keyLengths) & file.attentionMask(keyCount: keyCount)
  }

  /// A tensor with its heads as an axis.
  private static func heads(
    of name: String, in file: SafetensorsFile, _ heads: Int?, _ attribute: String, _ isMerged: Bool
  ) throws -> Tensor<Element> {
    let tensor = try file.tensor(name, as: Element.self)
    guard isMerged else {
      guard tensor.rank == 4 else {
        throw CaseError(
          name, "shape \(tensor.shape), expected [B, H, T, D] or, for all of Q, K and V, [B, T, H·D]")
      }
      if let heads, heads != tensor.shape[1] {
        throw CaseError(
          attribute, "\(heads), but \(name) of shape \(tensor.shape) has \(tensor.shape[1]) heads")
      }
      return tensor
    }
    guard tensor.rank == 3 else {
      throw CaseError(name, "shape \(tensor.shape), expected [B, T, H·D] as for Q")
    }
    guard let heads else {
      throw CaseError(attribute, "missing, needed for \(name) of shape \(tensor.shape)")
    }
    guard tensor.shape[2].isMultiple(of: heads) else {
      throw CaseError(attribute, "\(heads) does not divide the last axis of \(name) \(tensor.shape)")
    }
    return try tensor.splitHeads(heads)
  }

  /// Computes the case.
  ///
  /// - Returns: a file's worth of results: `Y` in the shape and type that belong to `Q`, and `lse` `[B, Hq, Tq]`.
  func results(on pool: WorkerPool) throws -> SafetensorsWriter {
    let (output, logSumExp) = try scaledDotProductAttentionWithLogSumExp(
      queries: queries, keys: keys, values: values, scale: scale, mask: mask, on: pool)
    var writer = SafetensorsWriter()
    try writer.add("Y", isMerged ? output.mergeHeads() : output)
    try writer.add("lse", logSumExp)
    return writer
  }

  /// How the case would be computed, in words.
  func explanation(on pool: WorkerPool) throws -> String {
    try AttentionPlan(
      queries: queries, keys: keys, values: values, scale: scale, mask: mask, on: pool
    ).description
  }
}

/// Checks that a file has the tensors of a case and no others, all three operands of one type.
///
/// - Returns: the element type of `Q`, `K` and `V`.
/// - Throws: ``CaseError`` for tensors that are missing, unknown or not supported.
func checkCaseTensors(of file: SafetensorsFile) throws(CaseError) -> ElementType {
  let used: Set = ["Q", "K", "V", "attn_mask", "nonpad_kv_seqlen"]
  let unsupported: Set = [
    "past_key", "past_value", "alibi_slopes", "sinks", "cu_seqlens_q", "cu_seqlens_k", "block_table",
  ]
  for name in file.names where !used.contains(name) && !name.hasPrefix("expected.") {
    if unsupported.contains(name) { throw CaseError(name, "not supported yet") }
    throw CaseError("tensor \(quoted(name))", "not an input of Attention")
  }
  guard let type = file["Q"]?.elementType else { throw CaseError("Q", "missing, the queries of the case") }
  for (name, what) in [("K", "keys"), ("V", "values")] {
    guard let entry = file[name] else { throw CaseError(name, "missing, the \(what) of the case") }
    guard entry.elementType == type else {
      throw CaseError(name, "holds \(entry.elementType), expected \(type) as in Q")
    }
  }
  return type
}
