import Attention
import TensorFiles

/// Queries, keys and values of a case, in the layout that the file has them in.
enum CaseOperands<Element: AttentionElement> {
  /// `[B, Hq, Tq, D]`, `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]`. The first `pastLength` keys came as `past_key`, if any did.
  case padded(Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, pastLength: Int?)
  /// `[B, Hq, Tq, D]`, and pages of keys and values.
  case paged(Tensor<Element>, PagedOperands<Element>)
  /// `[total, Hq, D]`, `[total, Hkv, D]` and `[total, Hkv, Dv]`.
  case packed(Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, PackedSequences)

  /// Reads the tensors of the layout that the file's names tell. Views where possible: all that is copied is the past and what
  /// comes after it.
  init(_ file: SafetensorsFile, _ attributes: CaseAttributes) throws {
    let reader = OperandReader<Element>(file: file, attributes: attributes)
    switch try CaseLayout(file, attributes) {
    case .padded: self = try reader.padded()
    case .paged: self = try reader.paged()
    case .packed: self = try reader.packed()
    }
  }

  /// `B`; 1 for packed sequences, which have no axis for it.
  var batch: Int {
    switch self {
    case .padded(let queries, _, _, _), .paged(let queries, _): queries.shape[0]
    case .packed: 1
    }
  }

  /// `Hq`
  var queryHeads: Int {
    switch self {
    case .padded(let queries, _, _, _), .paged(let queries, _), .packed(let queries, _, _, _):
      queries.shape[1]
    }
  }

  /// `Tk`, that of the longest of packed sequences.
  var keyCount: Int {
    switch self {
    case .padded(_, let keys, _, _): keys.shape[2]
    case .paged(_, let pages): pages.keyCount
    case .packed(_, _, _, let sequences):
      zip(sequences.cumulativeKeyLengths, sequences.cumulativeKeyLengths.dropFirst()).map { $1 - $0 }.max()
        ?? 0
    }
  }

  /// How many keys came as `past_key`; nil where the file has none.
  var pastLength: Int? {
    if case .padded(_, _, _, let pastLength) = self { pastLength } else { nil }
  }
}

/// How a file lays its queries, keys and values out.
private enum CaseLayout {
  case padded, paged, packed

  /// Finds the layout.
  ///
  /// - Throws: ``CaseError`` where tensors or attributes contradict each other, or one of a pair is missing.
  init(_ file: SafetensorsFile, _ attributes: CaseAttributes) throws(CaseError) {
    func refuse(_ names: [String], beside name: String) throws(CaseError) {
      for other in names where file[name] != nil && file[other] != nil {
        throw CaseError(other, "given together with \(name), expected one or the other")
      }
    }
    func need(_ name: String, beside other: String) throws(CaseError) {
      if file[other] != nil && file[name] == nil { throw CaseError(name, "missing, needed beside \(other)") }
    }
    try need("past_key", beside: "past_value")
    try need("past_value", beside: "past_key")
    try need("cu_seqlens_q", beside: "cu_seqlens_k")
    try refuse(["nonpad_kv_seqlen", "block_table"], beside: "past_key")
    try refuse(["past_key", "nonpad_kv_seqlen", "block_table"], beside: "cu_seqlens_q")
    if file["cu_seqlens_q"] != nil {
      if attributes.scoreStage != nil {
        throw CaseError(
          "qk_matmul_output_mode",
          "given together with cu_seqlens_q: packed sequences have no one matrix of scores")
      }
      self = .packed
    } else if file["block_table"] != nil {
      self = .paged
    } else {
      self = .padded
    }
  }
}
