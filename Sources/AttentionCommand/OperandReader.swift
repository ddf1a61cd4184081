import Attention
import TensorFiles

/// Reads queries, keys and values of a case: one function a layout.
struct OperandReader<Element: AttentionElement> {
  let file: SafetensorsFile
  let attributes: CaseAttributes

  /// `Q`, `K` and `V` as `[B, H, T, D]` or, all three, `[B, T, H·D]`; `past_key` and `past_value` before them.
  func padded() throws -> CaseOperands<Element> {
    let isMerged = file["Q"]?.shape.count == 3
    let queries = try heads(of: "Q", attributes.queryHeads, "q_num_heads", isMerged)
    let keys = try heads(of: "K", attributes.keyHeads, "kv_num_heads", isMerged)
    let values = try heads(of: "V", attributes.keyHeads, "kv_num_heads", isMerged)
    guard let past = file["past_key"]?.shape else {
      return .padded(queries, keys: keys, values: values, pastLength: nil)
    }
    // Other counts of axes are refused where the tensor is read.
    let pastLength = past.count == 4 ? past[2] : 0
    return try .padded(
      queries, keys: joined("past_key", pastLength, keys), values: joined("past_value", pastLength, values),
      pastLength: pastLength)
  }

  /// `Q` as for ``padded()``; `K` and `V` as `[numBlocks, blockSize, Hkv, D]`.
  func paged() throws -> CaseOperands<Element> {
    let isMerged = file["Q"]?.shape.count == 3
    let queries = try heads(of: "Q", attributes.queryHeads, "q_num_heads", isMerged)
    let pages = try ["K", "V"].map { name in
      let tensor = try axes(of: name, 4, "[numBlocks, blockSize, Hkv, D] for a block_table")
      try check(attributes.keyHeads, "kv_num_heads", is: tensor.shape[2], of: name, tensor.shape)
      return tensor
    }
    let table = try blockTable(batch: queries.shape[0])
    guard !table.shape[1].multipliedReportingOverflow(by: pages[0].shape[1]).overflow else {
      throw CaseError("block_table", "shape \(table.shape), more keys than an Int counts")
    }
    return .paged(queries, PagedOperands(keys: pages[0], values: pages[1], table: table))
  }

  /// `Q`, `K` and `V` as `[total, H, D]`; without `cu_seqlens_k`, keys lie as their queries do.
  func packed() throws -> CaseOperands<Element> {
    let queries = try axes(of: "Q", 3, "[total, Hq, D] for cu_seqlens_q")
    try check(attributes.queryHeads, "q_num_heads", is: queries.shape[1], of: "Q", queries.shape)
    let keys = try axes(of: "K", 3, "[total, Hkv, D] for cu_seqlens_q")
    try check(attributes.keyHeads, "kv_num_heads", is: keys.shape[1], of: "K", keys.shape)
    let values = try axes(of: "V", 3, "[total, Hkv, Dv] for cu_seqlens_q")
    let queryEnds = try file.integers("cu_seqlens_q")?.elements.map { Int($0) } ?? []
    var keyEnds = queryEnds
    if let ends = try file.integers("cu_seqlens_k") {
      keyEnds = ends.elements.map { Int($0) }
    } else if keys.shape[0] != queries.shape[0] {
      throw CaseError(
        "cu_seqlens_k",
        "missing, needed where K \(keys.shape) and Q \(queries.shape) differ in their first axis")
    }
    return try .packed(
      queries, keys: keys, values: values,
      PackedSequences(cumulativeQueryLengths: queryEnds, cumulativeKeyLengths: keyEnds))
  }
}

extension OperandReader {
  /// A tensor that must have some count of axes.
  private func axes(of name: String, _ rank: Int, _ expected: String) throws -> Tensor<Element> {
    let tensor = try file.tensor(name, as: Element.self)
    guard tensor.rank == rank else { throw CaseError(name, "shape \(tensor.shape), expected \(expected)") }
    return tensor
  }

  /// Throws where an attribute gives another number of heads than the tensor has.
  private func check(
    _ heads: Int?, _ attribute: String, is count: Int, of name: String, _ shape: Shape
  ) throws(CaseError) {
    if let heads, heads != count {
      throw CaseError(attribute, "\(heads), but \(name) of shape \(shape) has \(count) heads")
    }
  }

  /// A tensor with its heads as an axis.
  private func heads(
    of name: String, _ heads: Int?, _ attribute: String, _ isMerged: Bool
  ) throws -> Tensor<Element> {
    guard isMerged else {
      let tensor = try axes(of: name, 4, "[B, H, T, D] or, for all of Q, K and V, [B, T, H·D]")
      try check(heads, attribute, is: tensor.shape[1], of: name, tensor.shape)
      return tensor
    }
    let tensor = try axes(of: name, 3, "[B, T, H·D] as for Q")
    return try tensor.splitHeads(heads, attribute, of: name)
  }

  /// A past of `length` positions, and what comes after it.
  private func joined(_ name: String, _ length: Int, _ new: Tensor<Element>) throws -> Tensor<Element> {
    let past = try file.tensor(name, as: Element.self)
    let expected: Shape = [new.shape[0], new.shape[1], length, new.shape[3]]
    guard past.shape == expected else {
      throw CaseError(
        name,
        "shape \(past.shape), expected [\(expected[0]), \(expected[1]), past, \(expected[3])]"
          + " with as many positions in past_key and past_value")
    }
    do {
      return try past.concatenated(with: new, axis: 2)
    } catch {
      throw CaseError(name, error.reason)
    }
  }

  /// `block_table` `[B, blocks]`.
  private func blockTable(batch: Int) throws -> Tensor<Int32> {
    let name = "block_table"
    guard let numbers = try file.integers(name, rank: 2) else { throw CaseError(name, "missing") }
    guard numbers.shape[0] == batch else {
      throw CaseError(
        name, "shape \(numbers.shape), expected [\(batch), blocks], a row for each sequence of Q")
    }
    if let wrong = numbers.elements.first(where: { Int32(exactly: $0) == nil }) {
      throw CaseError(name, "page \(wrong), expected a number that fits 32 bits")
    }
    return numbers.converted(to: Int32.self)
  }
}

extension Tensor {
  /// ``splitHeads(_:)`` of a tensor of three axes, with errors in the words of a case file.
  func splitHeads(_ heads: Int?, _ attribute: String, of name: String) throws -> Tensor {
    guard let heads else {
      throw CaseError(attribute, "missing, needed for \(name) of shape \(shape)")
    }
    guard shape[2].isMultiple(of: heads) else {
      throw CaseError(attribute, "\(heads) does not divide the last axis of \(name) \(shape)")
    }
    return try splitHeads(heads)
  }
}
