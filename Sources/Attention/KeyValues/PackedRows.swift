/// Rows of sequences that follow each other in one tensor `[total, H, D]`.
struct PackedRows: RowSource {
  let rows: StridedOperand
  /// The first row of each sequence.
  let starts: [Int]

  var type: StorageType { rows.type }
  var isOneRun: Bool { true }
  var interleavesHeads: Bool { rows.interleavesHeads }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    rows.run(0, head, from: starts[sequence] + position)
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    rows.canBeBLASOperand(type, columns: columns)
  }
}
