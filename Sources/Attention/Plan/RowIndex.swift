/// One query of one head of one sequence.
struct RowIndex {
  let sequence: Int
  let head: Int
  /// Counted in its sequence.
  let query: Int
  /// Where the query lies in the tensors of queries and results; not the same where sequences are packed.
  let row: Int
}
