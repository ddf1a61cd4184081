import Attention
import TensorFiles

/// Queries, keys and values of a case, as attention takes them.
struct CaseOperands<Element: AttentionElement> {
  let queries: Queries<Element>
  let keyValues: KeyValues
  /// The same without `nonpad_kv_seqlen`: scores before any mask are those of all keys that the file has.
  var unmaskedKeyValues: KeyValues
  /// `B`
  let batch: Int
  /// `Hq`
  let queryHeads: Int
  /// `Tq`, that of the longest of packed sequences.
  let queryCount: Int
  /// `Tk`, that of the longest sequence where keys do not lie in tensors of one length.
  let keyCount: Int
  /// The keys that a mask may have: more than `Tk` where a block table names more than any sequence uses.
  var keyCapacity: Int
  /// The shape of what attention gives: `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` of packed sequences.
  let outputShape: Shape
  /// How many keys came as `past_key`; nil where the file has none.
  var pastLength: Int?
  /// The past and what comes after it, where there is a past: `present_key` and `present_value`.
  var present: (keys: Tensor<Element>, values: Tensor<Element>)?
  /// `nonpad_kv_seqlen`
  var keyLengths: [Int]?

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

  /// - Parameters:
  ///   - tensor: what the queries lie in.
  ///   - sequences: `B` and `Tq`.
  ///   - width: `Dv`.
  init(
    _ queries: Queries<Element>, _ tensor: Tensor<Element>, _ sequences: (count: Int, longest: Int),
    _ keyValues: KeyValues, keyCount: Int, width: Int
  ) {
    self.queries = queries
    self.keyValues = keyValues
    self.unmaskedKeyValues = keyValues
    self.batch = sequences.count
    self.queryHeads = tensor.shape[1]
    self.queryCount = sequences.longest
    self.keyCount = keyCount
    self.keyCapacity = keyCount
    self.outputShape = Shape(tensor.shape.dropLast() + [width])
  }

  /// `[B, Hq, Tq, Tk]`, `Tk` being all keys that a block table has room for.
  var scoreShape: Shape { [batch, queryHeads, queryCount, keyCapacity] }

  /// Scores with columns for the keys that a block table has room for and no sequence has, as for any key past a sequence's length.
  func withAllKeys<Scalar: TensorElement>(
    _ scores: Tensor<Scalar>, at stage: ScoreStage
  ) throws(AttentionError) -> Tensor<Scalar> {
    if keyCapacity == keyCount { return scores }
    let hidden = Scalar(nearest: stage == .weights ? 0 : -.infinity)
    var all = Tensor(repeating: hidden, shape: scoreShape)
    try all.withMutableView { (view) throws(AttentionError) in
      try view.sliced(axis: 3, 0..<keyCount).assign(from: scores)
    }
    return all
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
