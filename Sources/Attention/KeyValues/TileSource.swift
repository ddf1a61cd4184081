import CAttentionKernels
import LinearAlgebra

/// Keys and values handed out a tile at a time: in place where BLAS can read them, else brought into scratch.
struct KeyValueTiles<Scalar: AttentionAccumulator> {
  let keys: TileSource<Scalar>
  let values: TileSource<Scalar>
  private let kernels: RowKernels<Scalar>

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.keys = TileSource(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.values = TileSource(problem.values, columns: problem.sizes.valueDimension, kernels)
    self.kernels = RowKernels(kernels)
  }

  /// The transpose of the rows `range` of a block's keys, `[D × keys]`, as BLAS shall read it.
  func transposedKeys(
    _ range: Range<Int>, _ block: RowBlock, _ work: TileWorkspace<Scalar>
  ) -> MatrixOperand<Scalar> {
    var tile = keys.tile(range, block, work.packedKeys)
    if work.transposesKeys {
      let target = MutableMatrixOperand(work.transposedKeys, leadingDimension: work.scoreStride)
      kernels.transpose(tile, rows: range.count, columns: keys.columns, into: target)
      return MatrixOperand(target.base, leadingDimension: target.leadingDimension)
    }
    tile.isTransposed = true
    return tile
  }

  /// The rows `range` of a block's values, `[keys × Dv]`.
  func values(
    _ range: Range<Int>, _ block: RowBlock, _ work: TileWorkspace<Scalar>
  ) -> MatrixOperand<Scalar> {
    values.tile(range, block, work.packedValues)
  }
}

/// Rows of one kind, keys or values, as matrices of the accumulation type.
struct TileSource<Scalar: AttentionAccumulator> {
  let columns: Int
  let rows: KeyValueRows
  private let load: RowKernels<Scalar>.Load
  private let isReadable: Bool
  private let isStoredAsRead: Bool

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.rows = rows
    self.columns = columns
    self.load = RowKernels<Scalar>(kernels).load(rows.type)
    let read = AccumulatorType(Scalar.self).storage
    self.isStoredAsRead = rows.type == .numbers(read)
    self.isReadable = rows.canBeBLASOperand(read, columns: columns)
  }

  /// The rows at the positions `range` of a block's sequence and head: where they lie, or copied into `scratch`.
  func tile(
    _ range: Range<Int>, _ block: RowBlock, _ scratch: UnsafeMutablePointer<Scalar>
  ) -> MatrixOperand<Scalar> {
    tile(range, block.sequence, block.keyValueHead, scratch)
  }

  /// The rows at the positions `range` of a sequence and head, likewise.
  func tile(
    _ range: Range<Int>, _ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Scalar>
  ) -> MatrixOperand<Scalar> {
    let first = range.lowerBound
    let run = rows.run(sequence, head, from: first)
    if isReadable && run.count >= range.count {
      return MatrixOperand(
        run.base.assumingMemoryBound(to: Scalar.self),
        leadingDimension: run.rowStride / MemoryLayout<Scalar>.size)
    }
    var next = 0
    while next < range.count {
      let run = next == 0 ? run : rows.run(sequence, head, from: first + next)
      let count = min(run.count, range.count - next)
      let target = scratch + next * columns
      if isStoredAsRead && run.hasNeighbouringColumns(columns, rows.type) {
        run.copy(count, bytes: rows.type.rowBytes(columns), to: target)
      } else {
        for row in 0..<count { read(run, row, into: target + row * columns) }
      }
      next += count
    }
    return MatrixOperand(scratch, leadingDimension: columns)
  }

  /// One row in the accumulation type.
  func read(_ sequence: Int, _ head: Int, _ position: Int, into target: UnsafeMutablePointer<Scalar>) {
    read(rows.run(sequence, head, from: position), 0, into: target)
  }

  private func read(_ run: RowRun, _ row: Int, into target: UnsafeMutablePointer<Scalar>) {
    load(
      target, run.base + row &* run.rowStride, run.step(rows.type), columns,
      run.scales.of(row))
  }

  /// Prefetches the rows at some positions, as far as one run holds them.
  func prefetch(_ range: Range<Int>, _ block: RowBlock) {
    if range.isEmpty { return }
    let run = rows.run(block.sequence, block.keyValueHead, from: range.lowerBound)
    run.prefetch(min(run.count, range.count), columns: columns, rows.type)
  }
}
