import LinearAlgebra

/// Keys and values in strided tensors, handed out a tile at a time: in place where BLAS can read them, else brought into scratch.
struct StridedKeyValues<Scalar: AttentionAccumulator> {
  private let keys: TileSource
  private let values: TileSource

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    let load = Scalar.load(problem.elementType, kernels)
    keys = TileSource(operand: problem.keys, columns: problem.sizes.headDimension, load: load)
    values = TileSource(operand: problem.values, columns: problem.sizes.valueDimension, load: load)
  }

  /// The rows `range` of a block's keys.
  func keys(
    _ range: Range<Int>, _ block: RowBlock, scratch: UnsafeMutablePointer<Scalar>
  ) -> MatrixOperand<Scalar> {
    keys.tile(range, block, scratch)
  }

  /// The rows `range` of a block's values.
  func values(
    _ range: Range<Int>, _ block: RowBlock, scratch: UnsafeMutablePointer<Scalar>
  ) -> MatrixOperand<Scalar> {
    values.tile(range, block, scratch)
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
