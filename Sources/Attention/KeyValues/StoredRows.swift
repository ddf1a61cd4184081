import CAttentionKernels
import LinearAlgebra

/// Rows of keys, or of values, handed out some at a time: where they lie, or brought into scratch.
struct StoredRows {
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

  /// Rows as Floats.
  func floats(
    _ range: Range<Int>, _ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> MatrixOperand<Float> {
    tiles.tile(range, sequence, head, scratch)
  }

  /// Rows of 16-bit words as they are, columns side by side; the stride counts words.
  func words(
    _ range: Range<Int>, _ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> (base: UnsafePointer<UInt16>, stride: Int) {
    let first = range.lowerBound
    let run = rows.run(sequence, head, from: first)
    if run.count >= range.count && run.hasNeighbouringColumns(columns, elementSize: elementSize) {
      return (run.base.assumingMemoryBound(to: UInt16.self), run.rowStride / elementSize)
    }
    let target = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UInt16.self)
    var next = 0
    while next < range.count {
      let run = rows.run(sequence, head, from: first + next)
      let count = min(run.count, range.count - next)
      if run.hasNeighbouringColumns(columns, elementSize: elementSize) {
        run.copy(count, bytes: columns * elementSize, to: target + next * columns)
      } else {
        copyWords(of: run, count, to: target + next * columns)
      }
      next += count
    }
    return (UnsafePointer(target), columns)
  }

  private func copyWords(of run: RowRun, _ rows: Int, to target: UnsafeMutablePointer<UInt16>) {
    let stride = run.columnStride / elementSize
    for row in 0..<rows {
      let source = (run.base + row &* run.rowStride).assumingMemoryBound(to: UInt16.self)
      for column in 0..<columns { target[row * columns + column] = source[column &* stride] }
    }
  }

  /// Rows to prefetch, as far as one run holds them.
  func prefetch(_ range: Range<Int>, _ block: RowBlock) -> CAttentionKernels_hint {
    if range.isEmpty { return CAttentionKernels_hint() }
    let run = rows.run(block.sequence, block.keyValueHead, from: range.lowerBound)
    if run.columnStride != elementSize { return CAttentionKernels_hint() }
    return CAttentionKernels_hint(
      next: run.base.assumingMemoryBound(to: CChar.self), stride: run.rowStride, bytes: columns * elementSize,
      rows: min(run.count, range.count))
  }
}
