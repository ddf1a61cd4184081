import CAttentionKernels

/// Rows of keys, or of values, handed to kernels that read each once: where they lie and as they are, run by run, or gathered where columns
/// are not neighbours, or bytes lie in two planes: bfloat16 and integers as they are, since kernels multiply these in their own way, other
/// types as Floats.
struct StreamSource {
  private let source: StoredRows
  private let columns: Int

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.columns = columns
    self.source = StoredRows(rows, columns: columns, kernels)
  }

  /// Rows of a width that are brought into scratch at a time: as Floats they stay in the second-level cache beside what is read meanwhile.
  static func gatheredRows(columns: Int) -> Int { max(1, min(128, (1 << 17) / columns)) }

  /// The rows at some positions of a block's sequence.
  func stretch(_ range: Range<Int>, _ block: RowBlock) -> StreamStretch? {
    if range.isEmpty { return nil }
    return StreamStretch(sequence: block.sequence, head: block.keyValueHead, range: range)
  }

  /// Hands out rows in their order, in pieces that kernels can read: a run where it lies, or some rows of it in scratch.
  ///
  /// - Parameters:
  ///   - stretch: the rows of the first head.
  ///   - heads: the heads whose rows are read together.
  ///   - next: finds what is read after them: the run from a row of it on, nil past its last row.
  ///   - body: gets the positions of the piece, counted from the stretch's first, and the piece.
  func forEachPiece(
    of stretch: StreamStretch, heads: StreamHeads, next: (_ row: Int) -> RowRun?,
    _ body: (_ piece: Range<Int>, CAttentionKernels_stream, RowStorage) -> Void
  ) {
    let count = stretch.range.count
    var stream = CAttentionKernels_stream()
    stream.columns = columns
    stream.heads = heads.count
    stream.distance = distance(heads: heads.count)
    var first = 0
    while first < count {
      let run = run(at: first, of: stretch)
      stream.count = min(run.count, count - first)
      (stream.row_stride, stream.head_stride) = (run.rowStride, run.headStride)
      (stream.scale_stride, stream.scale_head_stride) = (run.scales.rowStride, run.scales.headStride)
      stream.scales = run.scales.base
      stream.more_count = 0
      if gathersAll || !run.hasNeighbouringColumns(columns, source.tiles.rows.type) {
        stream.count = min(stream.count, Self.gatheredRows(columns: columns))
        let piece = first..<first + stream.count
        gather(piece, of: stretch, heads, into: &stream)
        prefetch(&stream, from: first, of: stretch, next)
        body(piece, stream, gatheredType)
        first = piece.upperBound
      } else if stream.count == count - first {
        stream.rows = run.base
        prefetch(&stream, from: first, of: stretch, next)
        body(first..<count, stream, source.tiles.rows.type)
        first = count
      } else {
        first = forEachRun(of: stretch, from: first, in: heads.runs, next: next, &stream, body)
      }
    }
  }

  /// Runs that a kernel takes at a time: those of a tile in pages of 16 rows, twice.
  static let mostRuns = 128

  /// Hands out runs from a row on, as many as lie in the same strides and a kernel takes; the row after them.
  private func forEachRun(
    of stretch: StreamStretch, from first: Int, in runs: UnsafeMutablePointer<CAttentionKernels_run>,
    next: (Int) -> RowRun?, _ stream: inout CAttentionKernels_stream,
    _ body: (_ piece: Range<Int>, CAttentionKernels_stream, RowStorage) -> Void
  ) -> Int {
    let (count, type) = (stretch.range.count, source.tiles.rows.type)
    var end = first
    var used = 0
    let (rowStride, headStride) = (stream.row_stride, stream.head_stride)
    source.tiles.rows.forEachRun(
      stretch.sequence, stretch.head, from: stretch.range.lowerBound + first
    ) { run in
      guard run.rowStride == rowStride, run.headStride == headStride,
        run.hasNeighbouringColumns(columns, type)
      else { return false }
      runs[used] = CAttentionKernels_run(
        rows: run.base, scales: run.scales.base, count: min(run.count, count - end), next: nil,
        next_stride: rowStride, next_count: 0, is_short: 0)
      end += runs[used].count
      used += 1
      return end < count && used < Self.mostRuns
    }
    prefetch(runs, used, from: first, of: stretch, distance: stream.distance, next)
    let run = runs[0]
    (stream.rows, stream.count) = (run.rows, run.count)
    (stream.next, stream.next_stride) = (run.next, run.next_stride)
    (stream.next_count, stream.is_short) = (run.next_count, run.is_short)
    stream.more = UnsafePointer(runs + 1)
    stream.more_count = used - 1
    body(first..<end, stream, type)
    return end
  }

  /// Says what a kernel prefetches while it reads each of some runs.
  private func prefetch(
    _ runs: UnsafeMutablePointer<CAttentionKernels_run>, _ count: Int, from first: Int,
    of stretch: StreamStretch, distance: Int, _ next: (Int) -> RowRun?
  ) {
    var start = first
    // The run that holds the row that is prefetched first, and its own first row: both only ever go on.
    var (holder, holderStart) = (0, first)
    for index in 0..<count {
      let own = runs[index].count
      let ahead = start + max(own, distance)
      while holder < count && holderStart + runs[holder].count <= ahead {
        holderStart += runs[holder].count
        holder += 1
      }
      if holder < count {
        let offset = ahead - holderStart
        runs[index].next = runs[holder].rows + offset &* runs[index].next_stride
        runs[index].next_count = min(runs[holder].count - offset, own)
      } else if let run = run(ahead, of: stretch, next) {
        runs[index].next = run.base
        runs[index].next_stride = run.rowStride
        runs[index].next_count = min(run.count, own)
      }
      runs[index].is_short = own < distance ? 1 : 0
      start += own
    }
  }

  /// The run from a row of a stretch on, or from one of the next where the stretch ends.
  private func run(_ row: Int, of stretch: StreamStretch, _ next: (Int) -> RowRun?) -> RowRun? {
    let count = stretch.range.count
    return row < count ? run(at: row, of: stretch) : next(row - count)
  }

  /// The run from a row of a stretch on.
  private func run(at row: Int, of stretch: StreamStretch) -> RowRun {
    source.tiles.rows.run(stretch.sequence, stretch.head, from: stretch.range.lowerBound + row)
  }

  /// The same; nil past the last row.
  func run(within row: Int, of stretch: StreamStretch) -> RowRun? {
    row < stretch.range.count ? run(at: row, of: stretch) : nil
  }

  /// The type that rows have in scratch.
  private var gatheredType: RowStorage {
    switch source.tiles.rows.type {
    case .numbers(let type): type == .bfloat16 ? source.tiles.rows.type : .numbers(.float32)
    case .int8, .int4: source.tiles.rows.type
    case .planes: .numbers(.float32)
    }
  }

  /// Whether no kernel reads the rows where they lie.
  private var gathersAll: Bool { source.tiles.rows.type == .planes }

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
      if gatheredType == source.tiles.rows.type {
        let run = source.tiles.rows.run(stretch.sequence, stretch.head + head, from: rows.lowerBound)
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
  private func distance(heads: Int) -> Int {
    max(1, (16 << 10) / (heads * source.tiles.rows.type.rowBytes(columns)))
  }

  /// Says what a kernel prefetches while it reads a run. One that is shorter than the distance prefetches what lies so far ahead, and a longer
  /// one what follows it.
  private func prefetch(
    _ stream: inout CAttentionKernels_stream, from first: Int, of stretch: StreamStretch,
    _ next: (Int) -> RowRun?
  ) {
    let isShort = stream.count < stream.distance
    let ahead = first + (isShort ? stream.distance : stream.count)
    (stream.is_short, stream.next, stream.next_count) = (isShort ? 1 : 0, nil, 0)
    guard let run = run(ahead, of: stretch, next) else { return }
    stream.next = run.base
    stream.next_stride = run.rowStride
    stream.next_count = min(run.count, stream.count)
  }
}

/// Neighbouring heads whose rows are read together.
struct StreamHeads {
  let count: Int
  /// Room for ``StreamSource/gatheredRows(columns:)`` rows of the first head.
  let scratch: UnsafeMutablePointer<Float>
  /// From a head's scratch, and from all else in its workspace, to the next head's, in Floats.
  let stride: Int
  /// Room for ``StreamSource/mostRuns`` runs.
  let runs: UnsafeMutablePointer<CAttentionKernels_run>
}

/// Some consecutive rows of a head of a sequence, in however many runs.
struct StreamStretch {
  fileprivate let sequence: Int
  fileprivate let head: Int
  fileprivate let range: Range<Int>
}
