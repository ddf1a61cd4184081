import CAttentionKernels

/// Rows of keys, or of values, handed to kernels that read each once: where they lie and as they are, run by run, or gathered where columns
/// are not neighbours: bfloat16 and integers as they are, since kernels multiply these in their own way, other types as Floats.
struct StreamSource {
  private let rows: KeyValueRows
  private let source: StoredRows
  private let columns: Int

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.rows = rows
    self.columns = columns
    self.source = StoredRows(rows, columns: columns, kernels)
  }

  /// Rows of a width that are brought into scratch at a time: as Floats they stay in the second-level cache beside what is read meanwhile.
  static func gatheredRows(columns: Int) -> Int { max(1, min(128, (1 << 17) / columns)) }

  /// The rows at some positions of a block's sequence.
  func stretch(_ range: Range<Int>, _ block: RowBlock) -> StreamStretch? {
    if range.isEmpty { return nil }
    return StreamStretch(rows: rows, sequence: block.sequence, head: block.keyValueHead, range: range)
  }

  /// Hands out rows in their order, in pieces that kernels can read: a run where it lies, or some rows of it in scratch.
  ///
  /// - Parameters:
  ///   - stretch: the rows of the first head.
  ///   - heads: the heads whose rows are read together.
  ///   - next: what is read after them.
  ///   - body: gets the positions of the piece, counted from the stretch's first, and the piece.
  func forEachPiece(
    of stretch: StreamStretch, heads: StreamHeads, next: StreamStretch?,
    _ body: (_ piece: Range<Int>, CAttentionKernels_stream, RowStorage) -> Void
  ) {
    let count = stretch.range.count
    let distance = distance(heads: heads.count)
    var first = 0
    while first < count {
      let run = stretch.run(at: first)
      let isInPlace = run.hasNeighbouringColumns(columns, rows.type)
      let most = isInPlace ? run.count : min(run.count, Self.gatheredRows(columns: columns))
      let piece = first..<first + min(count - first, most)
      var stream = CAttentionKernels_stream()
      stream.count = piece.count
      stream.columns = columns
      stream.heads = heads.count
      if isInPlace {
        (stream.rows, stream.row_stride, stream.head_stride) = (run.base, run.rowStride, run.headStride)
      } else {
        gather(piece, of: stretch, heads, into: &stream)
      }
      (stream.scales, stream.scale_stride, stream.scale_head_stride) = (
        run.scales.base, run.scales.rowStride, run.scales.headStride
      )
      prefetch(&stream, after: piece, of: stretch, distance: distance, next)
      body(piece, stream, isInPlace ? rows.type : gatheredType)
      first = piece.upperBound
    }
  }

  /// The type that rows have in scratch.
  private var gatheredType: RowStorage {
    switch rows.type {
    case .numbers(let type): type == .bfloat16 ? rows.type : .numbers(.float32)
    case .int8, .int4: rows.type
    }
  }

  /// Brings rows of all heads into their scratch.
  private func gather(
    _ piece: Range<Int>, of stretch: StreamStretch, _ heads: StreamHeads,
    into stream: inout CAttentionKernels_stream
  ) {
    let start = stretch.range.lowerBound
    let rows = start + piece.lowerBound..<start + piece.upperBound
    stream.rows = UnsafeRawPointer(heads.scratch)
    stream.head_stride = heads.stride * MemoryLayout<Float>.size
    for head in 0..<heads.count {
      let scratch = heads.scratch + head * heads.stride
      stream.row_stride = gatheredType.rowBytes(columns)
      if gatheredType == self.rows.type {
        let run = self.rows.run(stretch.sequence, stretch.head + head, from: rows.lowerBound)
        source.copy(run, rows.count, to: scratch)
      } else {
        let tile = source.floats(rows, stretch.sequence, stretch.head + head, scratch)
        precondition(
          tile.base == UnsafePointer(scratch), "rows whose columns are apart are read into scratch")
      }
    }
  }

  /// Rows between the row that is read and the row that is prefetched into the first-level cache: 16 KiB of all heads. With fewer, memory has
  /// too little time; with more, what was prefetched has left the cache before it is read, or takes the room of what is read again.
  private func distance(heads: Int) -> Int { max(1, (16 << 10) / (heads * rows.type.rowBytes(columns))) }

  /// Says what a kernel prefetches while it reads a piece.
  private func prefetch(
    _ stream: inout CAttentionKernels_stream, after piece: Range<Int>, of stretch: StreamStretch,
    distance: Int, _ next: StreamStretch?
  ) {
    stream.distance = distance
    // A run that is shorter than the distance prefetches what lies so far ahead, and a longer one what follows it.
    let isShort = piece.count < distance
    let ahead = isShort ? piece.lowerBound + distance : piece.upperBound
    let count = stretch.range.count
    guard let run = ahead < count ? stretch.run(at: ahead) : next?.run(within: ahead - count) else { return }
    stream.is_short = isShort ? 1 : 0
    stream.next = run.base
    stream.next_stride = run.rowStride
    stream.next_count = min(run.count, piece.count)
  }
}

/// Neighbouring heads whose rows are read together.
struct StreamHeads {
  let count: Int
  /// Room for ``StreamSource/gatheredRows(columns:)`` rows of the first head.
  let scratch: UnsafeMutablePointer<Float>
  /// From a head's scratch, and from all else in its workspace, to the next head's, in Floats.
  let stride: Int
}

/// Some consecutive rows of a head of a sequence, in however many runs.
struct StreamStretch {
  fileprivate let rows: KeyValueRows
  fileprivate let sequence: Int
  fileprivate let head: Int
  fileprivate let range: Range<Int>

  /// The run from a row on.
  fileprivate func run(at row: Int) -> RowRun { rows.run(sequence, head, from: range.lowerBound + row) }

  /// The same; nil past the last row.
  fileprivate func run(within row: Int) -> RowRun? { row < range.count ? run(at: row) : nil }
}
