/// Checked queries: how many there are, and where their rows lie.
struct QueryLayout {
  let batch: Int
  let heads: Int
  let depth: Int
  /// The rows of a sequence's tensor, or of all sequences where they are packed.
  let rowCount: Int
  /// The queries of the longest sequence, or the rows of a batch.
  let longest: Int
  let isPacked: Bool
  let rows: StridedOperand
  let given: GivenArgument

  init(_ queries: QueryRows) throws(AttentionError) {
    let tensor = queries.tensor
    let shape = tensor.shape
    given = GivenArgument(name: "queries", shape: shape)
    switch queries.arrangement {
    case .batch, .padded:
      guard shape.count == 4 else { throw given.refused("[B, Hq, Tq, D]") }
      if case .padded(let lengths) = queries.arrangement {
        try checkLengths(lengths, count: shape[0], most: shape[2], of: "queries \(shape)")
      }
      (batch, heads, rowCount, depth) = (shape[0], shape[1], shape[2], shape[3])
      longest = shape[2]
      isPacked = false
      rows = StridedOperand(tensor, .batched)
    case .packed(let lengths):
      guard shape.count == 3 else { throw given.refused("[total, Hq, D] for packed sequences") }
      try checkPackedLengths(lengths, rows: shape[0], of: "queries \(shape)")
      (batch, heads, rowCount, depth) = (lengths.count, shape[1], shape[0], shape[2])
      longest = lengths.max() ?? 0
      isPacked = true
      rows = StridedOperand(tensor, .packed)
    }
  }
}
