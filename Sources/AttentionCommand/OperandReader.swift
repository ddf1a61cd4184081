import Attention
import TensorFiles

/// Reads queries, keys and values of a case: one function a layout.
struct OperandReader<Element: AttentionElement> {
  let file: SafetensorsFile
  let attributes: CaseAttributes

  /// As many keys of a sequence as BLAS can count.
  var mostKeys: Int { Int(Int32.max) }

  /// `Q`, `K` and `V` as `[B, H, T, D]` or, all three, `[B, T, H·D]`; `past_key` and `past_value` before them.
  func padded() throws -> CaseOperands<Element> {
    let isMerged = file["Q"]?.shape.count == 3
    let queries: Tensor<Element> = try heads(of: "Q", attributes.queryHeads, "q_num_heads", isMerged)
    let keys = try headRows(of: .keys, isMerged)
    let values = try headRows(of: .values, isMerged)
    guard let past = file["past_key"]?.shape else {
      let lengths = try file.keyLengths(batch: queries.shape[0], keyCount: keys.shape[2])
      var operands = CaseOperands(
        Queries(queries), queries, (queries.shape[0], queries.shape[2]),
        KeyValues(keys: keys, values: values, lengths: lengths), keyCount: keys.shape[2],
        width: values.shape[3])
      operands.unmaskedKeyValues = KeyValues(keys: keys, values: values)
      operands.keyLengths = lengths
      return operands
    }
    let (newKeys, newValues) = (try numbers(keys, of: .keys), try numbers(values, of: .values))
    // Other counts of axes are refused where the tensor is read.
    let pastLength = past.count == 4 ? past[2] : 0
    try check(queries, newKeys, newValues)
    let (keyCount, overflow) = pastLength.addingReportingOverflow(keys.shape[2])
    guard !overflow, keyCount <= mostKeys else {
      throw CaseError(
        "past_key",
        "\(pastLength) positions before \(keys.shape[2]) of K, expected at most \(mostKeys) together")
    }
    let present = try (
      keys: joined("past_key", pastLength, newKeys), values: joined("past_value", pastLength, newValues)
    )
    var operands = CaseOperands(
      Queries(queries), queries, (queries.shape[0], queries.shape[2]),
      KeyValues(keys: present.keys, values: present.values), keyCount: keyCount, width: values.shape[3])
    operands.present = present
    operands.pastLength = pastLength
    return operands
  }

  /// `Q`, `K` and `V` as `[total, H, D]`; without `cu_seqlens_k`, keys lie as their queries do.
  func packed() throws -> CaseOperands<Element> {
    let queries: Tensor<Element> = try axes(of: "Q", 3, "[total, Hq, D] for cu_seqlens_q")
    try check(attributes.queryHeads, "q_num_heads", is: queries.shape[1], of: "Q", queries.shape)
    let keys = try rows(of: .keys, 3, "[total, Hkv, D] for cu_seqlens_q")
    try check(attributes.keyHeads, "kv_num_heads", is: keys.shape[1], of: "K", keys.shape)
    let values = try rows(of: .values, 3, "[total, Hkv, Dv] for cu_seqlens_q")
    let queryLengths = try file.packedLengths("cu_seqlens_q", rows: queries.shape[0]) ?? []
    var keyLengths = queryLengths
    if let lengths = try file.packedLengths("cu_seqlens_k", rows: keys.shape[0]) {
      keyLengths = lengths
    } else if keys.shape[0] != queries.shape[0] {
      throw CaseError(
        "cu_seqlens_k",
        "missing, needed where K \(keys.shape) and Q \(queries.shape) differ in their first axis")
    }
    guard keyLengths.count == queryLengths.count else {
      throw CaseError(
        "cu_seqlens_k",
        "\(keyLengths.count + 1) boundaries, expected \(queryLengths.count + 1) as in cu_seqlens_q")
    }
    return CaseOperands(
      .packed(queries, lengths: queryLengths), queries, (queryLengths.count, queryLengths.max() ?? 0),
      KeyValues(packedKeys: keys, values: values, lengths: keyLengths), keyCount: keyLengths.max() ?? 0,
      width: values.shape[2])
  }
}

extension OperandReader {
  /// A tensor that must have some count of axes.
  func axes<E: TensorElement>(
    of name: String, _ rank: Int, _ expected: String, as type: E.Type = E.self
  ) throws -> Tensor<E> {
    let tensor = try file.tensor(name, as: type)
    guard tensor.rank == rank else { throw CaseError(name, "shape \(tensor.shape), expected \(expected)") }
    return tensor
  }

  /// Throws where an attribute gives another number of heads than the tensor has.
  func check(
    _ heads: Int?, _ attribute: String, is count: Int, of name: String, _ shape: Shape
  ) throws(CaseError) {
    if let heads, heads != count {
      throw CaseError(attribute, "\(heads), but \(name) of shape \(shape) has \(count) heads")
    }
  }

  /// A tensor with its heads as an axis.
  func heads<E: TensorElement>(
    of name: String, _ heads: Int?, _ attribute: String, _ isMerged: Bool, as type: E.Type = E.self
  ) throws -> Tensor<E> {
    guard isMerged else {
      let tensor = try axes(of: name, 4, "[B, H, T, D] or, for all of Q, K and V, [B, T, H·D]", as: type)
      try check(heads, attribute, is: tensor.shape[1], of: name, tensor.shape)
      return tensor
    }
    let tensor = try axes(of: name, 3, "[B, T, H·D] as for Q", as: type)
    return try tensor.splitHeads(heads, attribute, of: name)
  }

  /// What comes after a past.
  ///
  /// - Throws: ``CaseError`` for integers: a past has no scales, and what both give together no type.
  private func numbers(_ rows: CaseRows<Element>, of tensor: RowTensor) throws(CaseError) -> Tensor<Element> {
    switch rows {
    case .numbers(let numbers): return numbers
    case .integers:
      throw CaseError(
        tensor.past, "given beside \(tensor.name) of int8, expected all of them in \(tensor.name)")
    }
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
    var whole = new.shape
    whole[2] += length
    try MemoryNeed.check([
      MemoryNeed(
        name, "joined with what comes after it", whole, bytesPerElement: MemoryLayout<Element>.stride)
    ])
    do {
      return try past.concatenated(with: new, axis: 2)
    } catch {
      throw CaseError(name, error.reason)
    }
  }

  /// Throws where keys and values do not fit the queries and each other: joined with a past, they would be refused in shapes that the
  /// file does not have.
  private func check(
    _ queries: Tensor<Element>, _ keys: Tensor<Element>, _ values: Tensor<Element>
  ) throws(CaseError) {
    let (q, k, v) = (queries.shape, keys.shape, values.shape)
    guard k[0] == q[0], k[3] == q[3] else {
      throw CaseError("K", "shape \(k), expected [\(q[0]), Hkv, Tk, \(q[3])] to match Q \(q)")
    }
    guard v[0] == k[0], v[1] == k[1], v[2] == k[2] else {
      throw CaseError("V", "shape \(v), expected [\(k[0]), \(k[1]), \(k[2]), Dv] to match K \(k)")
    }
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
