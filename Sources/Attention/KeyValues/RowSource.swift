import CAttentionKernels

/// Rows of keys, or of values, wherever they lie.
///
/// A kernel asks for tiles of consecutive positions; a source says where each run of them lies. Whatever keeps keys and values in
/// another way is one more type here and one more case of ``KeyValueRows``, and nothing in any kernel.
protocol RowSource {
  /// What the rows are stored in.
  var type: RowStorage { get }

  /// Whether all rows of a head follow each other at one stride.
  var isOneRun: Bool { get }

  /// Whether the order of memory goes from head to head before it comes to the next rows, or to most of them: the heads of a token lie side by
  /// side, or those of a short page.
  var readsHeadsTogether: Bool { get }

  /// The rows from `position` on that follow each other at one stride.
  ///
  /// - Parameters:
  ///   - sequence: the index in the batch.
  ///   - head: the key/value head.
  ///   - position: a row of the sequence that exists.
  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun

  /// Calls `body` with the runs from `position` on, one behind the other, until it returns false.
  func forEachRun(_ sequence: Int, _ head: Int, from position: Int, _ body: (RowRun) -> Bool)

  /// Whether BLAS can read every run where it lies.
  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool

  /// Whether two sequences have the same rows at some positions: not equal ones, but the same memory, for all heads.
  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool
}

extension RowSource {
  func forEachRun(_ sequence: Int, _ head: Int, from position: Int, _ body: (RowRun) -> Bool) {
    var position = position
    while true {
      let run = run(sequence, head, from: position)
      if !body(run) { return }
      position += run.count
    }
  }
}

/// The sources that there are. A value and not a protocol's box, which would be allocated for each call.
enum KeyValueRows: RowSource {
  case strided(RowOperand)
  case packed(PackedRows)
  case joined(JoinedRows)
  case paged(PagedRows)
  case cached(CachedSource)

  var type: RowStorage {
    switch self {
    case .strided(let rows): rows.type
    case .packed(let rows): rows.type
    case .joined(let rows): rows.type
    case .paged(let rows): rows.type
    case .cached(let rows): rows.type
    }
  }

  var isOneRun: Bool {
    switch self {
    case .strided(let rows): rows.isOneRun
    case .packed(let rows): rows.isOneRun
    case .joined(let rows): rows.isOneRun
    case .paged(let rows): rows.isOneRun
    case .cached(let rows): rows.isOneRun
    }
  }

  var readsHeadsTogether: Bool {
    switch self {
    case .strided(let rows): rows.readsHeadsTogether
    case .packed(let rows): rows.readsHeadsTogether
    case .joined(let rows): rows.readsHeadsTogether
    case .paged(let rows): rows.readsHeadsTogether
    case .cached(let rows): rows.readsHeadsTogether
    }
  }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    switch self {
    case .strided(let rows): rows.run(sequence, head, from: position)
    case .packed(let rows): rows.run(sequence, head, from: position)
    case .joined(let rows): rows.run(sequence, head, from: position)
    case .paged(let rows): rows.run(sequence, head, from: position)
    case .cached(let rows): rows.run(sequence, head, from: position)
    }
  }

  func forEachRun(_ sequence: Int, _ head: Int, from position: Int, _ body: (RowRun) -> Bool) {
    switch self {
    case .strided(let rows): rows.forEachRun(sequence, head, from: position, body)
    case .packed(let rows): rows.forEachRun(sequence, head, from: position, body)
    case .joined(let rows): rows.forEachRun(sequence, head, from: position, body)
    case .paged(let rows): rows.forEachRun(sequence, head, from: position, body)
    case .cached(let rows): rows.forEachRun(sequence, head, from: position, body)
    }
  }

  /// The high bytes of rows of two planes, as rows of Int8.
  ///
  /// - Precondition: the rows are `planes`.
  var highPlane: KeyValueRows {
    switch self {
    case .cached(let rows): .cached(rows.highPlane)
    case .joined(let rows): .joined(JoinedRows(parts: rows.parts.map(\.highPlane), ends: rows.ends))
    case .strided, .packed, .paged: preconditionFailure("planes outside of a cache")
    }
  }

  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool {
    switch self {
    case .strided(let source): source.hasSameRows(sequence, other, in: rows)
    case .packed(let source): source.hasSameRows(sequence, other, in: rows)
    case .joined(let source): source.hasSameRows(sequence, other, in: rows)
    case .paged(let source): source.hasSameRows(sequence, other, in: rows)
    case .cached(let source): source.hasSameRows(sequence, other, in: rows)
    }
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    switch self {
    case .strided(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .packed(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .joined(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .paged(let rows): rows.canBeBLASOperand(type, columns: columns)
    case .cached(let rows): rows.canBeBLASOperand(type, columns: columns)
    }
  }
}

/// Rows that follow each other at one stride; strides are in bytes.
struct RowRun {
  let base: UnsafeRawPointer
  let rowStride: Int
  /// From a row to the next head's row of the same position.
  let headStride: Int
  let columnStride: Int
  /// Those of the run's rows.
  let scales: RowScales
  /// Of rows of two planes.
  var low = LowPlane.none
  var count: Int

  /// The same, cut to `most` rows.
  func limited(to most: Int) -> RowRun {
    var run = self
    run.count = min(count, most)
    return run
  }
}

extension RowRun {
  /// Whether the columns of a row follow each other without a gap.
  func hasNeighbouringColumns(_ columns: Int, _ type: RowStorage) -> Bool {
    columnStride == type.columnBytes || columns == 1
  }

  /// What kernels that load a row go by: elements from column to column, or bytes from a high byte to its low byte.
  func step(_ type: RowStorage) -> Int {
    switch type {
    case .numbers, .int8, .int4: columnStride / type.columnBytes
    case .planes: low.distance
    }
  }

  /// Copies the first rows of a run whose columns are neighbours, one behind the other.
  func copy(_ rows: Int, bytes: Int, to target: UnsafeMutableRawPointer) {
    for row in 0..<rows {
      (target + row &* bytes).copyMemory(from: base + row &* rowStride, byteCount: bytes)
    }
  }

  /// Prefetches rows into the second-level cache; not where columns are not neighbours.
  func prefetch(_ rows: Int, columns: Int, _ type: RowStorage) {
    if columnStride != type.columnBytes { return }
    let bytes = type.rowBytes(columns)
    if rowStride == bytes {
      CAttentionKernels_prefetch(base, rows * bytes)
    } else {
      for row in 0..<rows {
        CAttentionKernels_prefetch(base + row &* rowStride, bytes)
      }
    }
  }
}
