import LinearAlgebra

/// Keys and values in strided tensors, handed out a tile at a time: in place where BLAS can read them, else brought into scratch.
struct StridedKeyValues<Scalar: AttentionAccumulator> {
  private let keys: TileSource
  private let values: TileSource
  private let transposesKeys: Bool
  private let kernels: KernelTable

  init(_ problem: AttentionProblem, _ plan: AttentionPlan, _ kernels: KernelTable) {
    let load = Scalar.load(problem.elementType, kernels)
    self.keys = TileSource(operand: problem.keys, columns: problem.sizes.headDimension, load: load)
    self.values = TileSource(operand: problem.values, columns: problem.sizes.valueDimension, load: load)
    self.transposesKeys = plan.transposesKeys
    self.kernels = kernels
  }

  /// The transpose of the rows `range` of a block's keys, `[D × keys]`, as BLAS shall read it.
  func transposedKeys(
    _ range: Range<Int>, _ block: RowBlock, _ work: GEMMWorkspace<Scalar>
  ) -> MatrixOperand<Scalar> {
    var tile = keys.tile(range, block, work.packedKeys)
    if transposesKeys {
      let target = MutableMatrixOperand(work.transposedKeys, leadingDimension: work.scoreStride)
      Scalar.transpose(tile, rows: range.count, columns: keys.columns, into: target, kernels)
      return MatrixOperand(target.base, leadingDimension: target.leadingDimension)
    }
    tile.isTransposed = true
    return tile
  }

  /// The rows `range` of a block's values, `[keys × Dv]`.
  func values(
    _ range: Range<Int>, _ block: RowBlock, _ work: GEMMWorkspace<Scalar>
  ) -> MatrixOperand<Scalar> {
    values.tile(range, block, work.packedValues)
  }

  private struct TileSource {
    let operand: StridedOperand
    let columns: Int
    let load: Scalar.Load

    func tile(
      _ range: Range<Int>, _ block: RowBlock, _ scratch: UnsafeMutablePointer<Scalar>
    ) -> MatrixOperand<Scalar> {
      var source = operand.row(block.sequence, block.keyValueHead, range.lowerBound)
      if operand.canBeBLASOperand(Scalar.elementType, columns: columns) {
        return MatrixOperand(
          source.assumingMemoryBound(to: Scalar.self),
          leadingDimension: operand.byteStrides.row / Scalar.elementType.byteCount)
      }
      for row in 0..<range.count {
        Scalar.run(
          load, into: scratch + row * columns, source, stride: operand.columnStride, columns, factor: 1)
        source += operand.byteStrides.row
      }
      return MatrixOperand(scratch, leadingDimension: columns)
    }
  }
}
