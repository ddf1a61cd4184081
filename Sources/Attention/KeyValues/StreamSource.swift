import CAttentionKernels

/// Rows of keys, or of values, handed to kernels that read each once: where they lie and as they are, run by run, or gathered as Floats
/// where columns are not neighbours.
struct StreamSource {
  private let rows: KeyValueRows
  private let tiles: TileSource<Float>
  private let columns: Int
  private let elementSize: Int

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.rows = rows
    self.columns = columns
    self.elementSize = rows.type.byteCount
    self.tiles = TileSource(rows, columns: columns, kernels)
  }

  /// Rows of a width that are brought into scratch at a time: as Floats they stay in the second-level cache beside what is read meanwhile.
  static func gatheredRows(columns: Int) -> Int { max(1, min(128, (1 << 17) / columns)) }

  /// The rows at some positions of a block's sequence.
  func stretch(_ range: Range<Int>, _ block: RowBlock) -> StreamStretch? {
    if range.isEmpty { return nil }
    return StreamStretch(rows: rows, sequence: block.sequence, head: block.keyValueHead, range: range)
  }

  /// Hands out rows of some heads in their order, in pieces that kernels can read: a run where it lies, or some rows of it as Floats in
  /// `scratch`. With several heads, some rows of each in turn.
  ///
  /// - Parameters:
  ///   - stretch: the rows of the first head.
  ///   - heads: how many neighbouring heads.
  ///   - distance: how many rows ahead the kernel prefetches.
  ///   - next: what is read after them.
  ///   - scratch: room for ``gatheredRows(columns:)`` rows of a head.
  ///   - body: gets the head, counted from the first, the positions of the piece, likewise, and the piece.
  func forEachPiece(
    of stretch: StreamStretch, heads: Int, distance: Int, next: StreamStretch?,
    scratch: (_ head: Int) -> UnsafeMutablePointer<Float>,
    _ body: (_ head: Int, _ piece: Range<Int>, CAttentionKernels_stream, StorageType) -> Void
  ) {
    let count = stretch.range.count
    var first = 0
    while first < count {
      let run = stretch.run(at: first)
      let isInPlace = run.columnStride == elementSize || columns == 1
      var most = min(count - first, isInPlace ? run.count : Self.gatheredRows(columns: columns))
      if heads > 1 { most = min(most, Self.rowsInTurn) }
      let piece = first..<first + most
      for head in 0..<heads {
        var stream = CAttentionKernels_stream()
        stream.count = piece.count
        stream.columns = columns
        if isInPlace {
          let run = head == 0 ? run : stretch.run(at: first, head: head)
          (stream.rows, stream.row_stride) = (run.base, run.rowStride)
        } else {
          let rows = stretch.range.lowerBound + piece.lowerBound..<stretch.range.lowerBound + piece.upperBound
          let tile = tiles.tile(rows, stretch.sequence, stretch.head + head, scratch(head))
          stream.rows = UnsafeRawPointer(tile.base)
          stream.row_stride = tile.leadingDimension * MemoryLayout<Float>.size
        }
        prefetch(&stream, after: piece, of: stretch, (head, heads), distance: distance, next)
        body(head, piece, stream, isInPlace ? rows.type : .float32)
      }
      first = piece.upperBound
    }
  }

  /// Rows of a head that are read before those of the next head: what a kernel takes at once.
  private static let rowsInTurn = 16

  /// Says what a kernel prefetches while it reads a piece.
  private func prefetch(
    _ stream: inout CAttentionKernels_stream, after piece: Range<Int>, of stretch: StreamStretch,
    _ place: (head: Int, heads: Int), distance: Int, _ next: StreamStretch?
  ) {
    // A run that is shorter than the distance prefetches what lies so far ahead, and a longer one what follows it.
    let isShort = piece.count < distance
    let ahead = isShort ? piece.lowerBound + distance : piece.upperBound
    let count = stretch.range.count
    guard
      let run = ahead < count
        ? stretch.run(at: ahead, head: place.head) : next?.run(within: ahead - count, head: place.head)
    else { return }
    stream.is_short = isShort ? 1 : 0
    stream.next = run.base
    stream.next_stride = run.rowStride
    stream.next_count = min(run.count, piece.count)
    // Where the heads are all that lies in a row, the turns of all heads prefetch the rows from their first byte to their last.
    let bytes = columns * elementSize
    if place.heads > 1 && run.rowStride == place.heads * bytes && run.count >= piece.count {
      let start = run.base - place.head * bytes
      stream.next = start + place.head * piece.count * bytes
      stream.next_stride = bytes
    }
  }
}

/// Some consecutive rows of a head of a sequence, in however many runs.
struct StreamStretch {
  fileprivate let rows: KeyValueRows
  fileprivate let sequence: Int
  fileprivate let head: Int
  fileprivate let range: Range<Int>

  /// The run from a row on, of this head or one after it.
  fileprivate func run(at row: Int, head other: Int = 0) -> RowRun {
    rows.run(sequence, head + other, from: range.lowerBound + row)
  }

  /// The same; nil past the last row.
  fileprivate func run(within row: Int, head other: Int) -> RowRun? {
    row < range.count ? run(at: row, head: other) : nil
  }
}
