/// Rows of sequences that follow each other in one tensor `[total, H, D]`.
struct PackedRows: RowSource {
  let rows: RowOperand
  /// The first row of each sequence.
  let starts: [Int]

  var type: RowStorage { rows.type }
  var isOneRun: Bool { true }
  var readsHeadsTogether: Bool { rows.readsHeadsTogether }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    rows.run(0, head, from: starts[sequence] + position)
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    rows.canBeBLASOperand(type, columns: columns)
  }

  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool { sequence == other }
}
