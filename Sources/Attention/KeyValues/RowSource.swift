import CAttentionKernels

/// Rows of keys, or of values, wherever they lie.
///
/// A kernel asks for tiles of consecutive positions; a source says where each stretch of them lies. Whatever keeps keys and values in
/// another way (joined parts, pages) is one more type here and one more case of ``KeyValueRows``, and nothing in any kernel.
protocol RowSource {
  var elementType: ElementType { get }

  /// Whether all rows of a head follow each other at one stride.
  var isOneRun: Bool { get }

  /// The rows from `position` on that follow each other at one stride.
  ///
  /// - Parameters:
  ///   - sequence: the index in the batch.
  ///   - head: the key/value head.
  ///   - position: a row of the sequence that exists.
  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun

  /// Whether BLAS can read every run where it lies.
  func canBeBLASOperand(_ type: ElementType, columns: Int) -> Bool
}

/// The sources that there are. A value and not a protocol's box, which would be allocated for each call.
enum KeyValueRows: RowSource {
  case strided(StridedOperand)
  case joined(JoinedRows)
  case paged(PagedRows)

  var elementType: ElementType {
    switch self {
    case .strided(let rows): rows.elementType
    case .joined(let rows): rows.elementType
    case .paged(let rows): rows.elementType
    }
  }

  var isOneRun: Bool {
    switch self {
    case .strided(let rows): rows.isOneRun
    case .joined(let rows): rows.isOneRun
    case .paged(let rows): rows.isOneRun
    }
  }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    switch self {
    case .strided(let rows): rows.run(sequence, head, from: position)
    case .joined(let rows): rows.run(sequence, head, from: position)
    case .paged(let rows): rows.run(sequence, head, from: position)
    }
  }

  func canBeBLASOperand(_ type: ElementType, columns: Int) -> Bool {
    switch self {
    case .strided(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .joined(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .paged(let rows): rows.canBeBLASOperand(type, columns: columns)
    }
  }
}

/// Rows that follow each other at one stride; strides are in bytes.
struct RowRun {
  let base: UnsafeRawPointer
  let rowStride: Int
  let columnStride: Int
  let count: Int
}

extension RowRun {
  /// Asks for rows to be in cache soon; where columns are not neighbours it is not worth the while.
  func prefetch(_ rows: Int, bytes: Int, elementSize: Int) {
    if columnStride != elementSize { return }
    if rowStride == bytes {
      CAttentionKernels_prefetch(base, rows * bytes)
    } else {
      for row in 0..<rows {
        CAttentionKernels_prefetch(base + row &* rowStride, bytes)
      }
    }
  }
}

extension StridedOperand: RowSource {
  var isOneRun: Bool { true }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    RowRun(
      base: row(sequence, head, position), rowStride: byteStrides.row, columnStride: byteStrides.column,
      count: .max)
  }
}

/// Parts that follow each other along the positions: a shared prefix and what came after it, say.
struct JoinedRows: RowSource {
  /// Each part, and the position after its last row.
  let parts: [(rows: StridedOperand, end: Int)]

  var elementType: ElementType { parts[0].rows.elementType }
  var isOneRun: Bool { parts.count == 1 }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    var start = 0
    var index = 0
    // There are few parts, and the last one takes what is left.
    while index < parts.count - 1, position >= parts[index].end {
      start = parts[index].end
      index += 1
    }
    let run = parts[index].rows.run(sequence, head, from: position - start)
    return RowRun(
      base: run.base, rowStride: run.rowStride, columnStride: run.columnStride,
      count: parts[index].end - position)
  }

  func canBeBLASOperand(_ type: ElementType, columns: Int) -> Bool {
    parts.allSatisfy { $0.rows.canBeBLASOperand(type, columns: columns) }
  }
}

/// Pages of equal size that a table strings together: a cache whose sequences grow without moving.
struct PagedRows: RowSource {
  /// `[numBlocks, Hkv, blockSize, D]`
  let pages: StridedOperand
  let pageSize: Int
  /// The page of each `pageSize` positions, `pagesPerSequence` for each sequence.
  let table: [Int32]
  let pagesPerSequence: Int

  var elementType: ElementType { pages.elementType }
  var isOneRun: Bool { false }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    let (page, row) = position.quotientAndRemainder(dividingBy: pageSize)
    let number = Int(table[sequence * pagesPerSequence + page])
    return RowRun(
      base: pages.row(number, head, row), rowStride: pages.byteStrides.row,
      columnStride: pages.byteStrides.column, count: pageSize - row)
  }

  func canBeBLASOperand(_ type: ElementType, columns: Int) -> Bool {
    pages.canBeBLASOperand(type, columns: columns)
  }
}
