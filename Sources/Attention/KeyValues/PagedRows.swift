/// Pages of equal size that a table strings together: a cache whose sequences grow without moving.
struct PagedRows: RowSource {
  /// A page stands where a sequence does.
  let pages: RowOperand
  let table: PageTable

  var type: RowStorage { pages.type }
  var isOneRun: Bool { false }
  var readsHeadsTogether: Bool { pages.readsHeadsTogether }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    let (place, row) = position.quotientAndRemainder(dividingBy: table.pageSize)
    return pages.run(table.page(sequence, place), head, from: row).limited(to: table.pageSize - row)
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    pages.canBeBLASOperand(type, columns: columns)
  }

  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool {
    if rows.isEmpty { return true }
    let places = rows.lowerBound / table.pageSize...(rows.upperBound - 1) / table.pageSize
    return places.allSatisfy { table.page(sequence, $0) == table.page(other, $0) }
  }
}

/// Which page holds which positions of a sequence, read where the caller keeps it.
struct PageTable {
  let base: UnsafeRawPointer
  /// In entries.
  let rowStride: Int
  let columnStride: Int
  let pageSize: Int

  /// The page at some place of a sequence; the entries that sequences use were checked.
  func page(_ sequence: Int, _ place: Int) -> Int {
    let entry = sequence &* rowStride &+ place &* columnStride
    return Int(base.load(fromByteOffset: entry &* MemoryLayout<Int32>.stride, as: Int32.self))
  }
}
