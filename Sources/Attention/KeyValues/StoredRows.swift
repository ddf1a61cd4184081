import CAttentionKernels
import LinearAlgebra

/// Rows of keys, or of values, handed out some at a time: where they lie, or brought into scratch.
struct StoredRows {
  let tiles: TileSource<Float>
  private let kernels: KernelTable
  private let columns: Int

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.columns = columns
    self.kernels = kernels
    self.tiles = TileSource(rows, columns: columns, kernels)
  }

  /// Rows as Floats.
  func floats(
    _ range: Range<Int>, _ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> MatrixOperand<Float> {
    tiles.tile(range, sequence, head, scratch)
  }

  /// Rows of bfloat16 as they are, or of integers times their scales and rounded to it: columns side by side; the stride counts words.
  func words(
    _ range: Range<Int>, _ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> (base: UnsafePointer<UInt16>, stride: Int) {
    let first = range.lowerBound
    let run = tiles.rows.run(sequence, head, from: first)
    let isBFloat16 = tiles.rows.type == .numbers(.bfloat16)
    if isBFloat16 && run.count >= range.count && run.hasNeighbouringColumns(columns, tiles.rows.type) {
      return (run.base.assumingMemoryBound(to: UInt16.self), run.rowStride / MemoryLayout<UInt16>.size)
    }
    let target = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UInt16.self)
    var next = 0
    while next < range.count {
      let run = tiles.rows.run(sequence, head, from: first + next)
      let count = min(run.count, range.count - next)
      write(run, count, to: target + next * columns)
      next += count
    }
    return (UnsafePointer(target), columns)
  }

  /// Writes the first rows of a run in bfloat16, one behind the other.
  private func write(_ run: RowRun, _ count: Int, to target: UnsafeMutablePointer<UInt16>) {
    let areNeighbours = run.hasNeighbouringColumns(columns, tiles.rows.type)
    switch tiles.rows.type {
    case .numbers(let type):
      precondition(type == .bfloat16, "\(type) rows as words of bfloat16")
      copy(run, count, to: UnsafeMutableRawPointer(target))
    case .int8 where areNeighbours:
      kernels.pointee.bf16_rows_from_i8(
        target, run.base, run.rowStride, run.scales.base, run.scales.rowStride, count, columns)
    case .int8, .planes: convert(run, count, to: target)
    case .int4: kernels.pointee.bf16_rows_from_i4(target, run.base, run.rowStride, count, columns)
    }
  }

  /// Integers whose columns are apart, or whose bytes are, by way of Floats.
  private func convert(_ run: RowRun, _ count: Int, to target: UnsafeMutablePointer<UInt16>) {
    let floats = RowKernels<Float>(kernels)
    let (load, store) = (floats.load(tiles.rows.type), floats.store(.bfloat16))
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { row in
      for index in 0..<count {
        load(
          row.baseAddress, run.base + index &* run.rowStride, run.step(tiles.rows.type), columns,
          run.scales.of(index))
        _ = store(target + index * columns, 1, row.baseAddress, columns, 1)
      }
    }
  }

  /// Copies the first rows of a run as they are, columns side by side, one row behind the other.
  func copy(_ run: RowRun, _ count: Int, to target: UnsafeMutableRawPointer) {
    let bytes = tiles.rows.type.rowBytes(columns)
    if run.hasNeighbouringColumns(columns, tiles.rows.type) {
      return run.copy(count, bytes: bytes, to: target)
    }
    let size = tiles.rows.type.columnBytes
    for row in 0..<count {
      let (source, place) = (run.base + row &* run.rowStride, target + row &* bytes)
      for column in 0..<columns {
        (place + column &* size).copyMemory(from: source + column &* run.columnStride, byteCount: size)
      }
    }
  }

  /// Rows to prefetch, as far as one run holds them.
  func prefetch(_ range: Range<Int>, _ block: RowBlock) -> CAttentionKernels_hint {
    if range.isEmpty { return CAttentionKernels_hint() }
    let run = tiles.rows.run(block.sequence, block.keyValueHead, from: range.lowerBound)
    if run.columnStride != tiles.rows.type.columnBytes { return CAttentionKernels_hint() }
    return CAttentionKernels_hint(
      next: run.base.assumingMemoryBound(to: CChar.self), stride: run.rowStride,
      bytes: tiles.rows.type.rowBytes(columns), rows: min(run.count, range.count))
  }
}
