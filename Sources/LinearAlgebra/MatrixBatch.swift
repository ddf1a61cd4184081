import Tensors

/// How BLAS can read or write a strided matrix in place.
package struct MatrixLayout: Equatable {
  package var leadingDimension: Int
  package var isTransposed: Bool

  /// Nil where neither axis runs through neighbouring elements, or rows overlap: BLAS cannot say that.
  package init?(rows: Int, columns: Int, rowStride: Int, columnStride: Int) {
    if rows == 0 || columns == 0 {
      // Nothing is read; BLAS still compares the leading dimension with the columns.
      self.init(leadingDimension: max(columns, 1), isTransposed: false)
    } else if columns == 1 || columnStride == 1, rows == 1 || rowStride >= columns {
      self.init(leadingDimension: rows == 1 ? columns : rowStride, isTransposed: false)
    } else if rows == 1 || rowStride == 1, columns == 1 || columnStride >= rows {
      self.init(leadingDimension: columns == 1 ? rows : columnStride, isTransposed: true)
    } else {
      return nil
    }
  }

  /// The layout of a tensor's last two axes.
  init?(shape: Shape, strides: Strides) {
    self.init(
      rows: shape.fromEnd(2), columns: shape.fromEnd(1), rowStride: strides.fromEnd(2),
      columnStride: strides.fromEnd(1))
  }

  /// The layout of dense rows.
  init(rowMajorColumns columns: Int) {
    self.init(leadingDimension: max(columns, 1), isTransposed: false)
  }

  private init(leadingDimension: Int, isTransposed: Bool) {
    self.leadingDimension = leadingDimension
    self.isTransposed = isTransposed
  }
}

/// A tensor of at least two axes as a batch of matrices that BLAS reads in place.
struct MatrixBatch<S: BLASScalar> {
  let tensor: Tensor<S>
  let layout: MatrixLayout

  /// The tensor itself where BLAS can read its strides, else one row-major copy; matrices that repeat along a batch axis
  /// are copied once.
  init(_ tensor: Tensor<S>, operation: String, argument: String) throws(AttentionError) {
    var source = tensor
    for axis in 0..<(tensor.rank - 2) where tensor.strides[axis] == 0 && tensor.shape[axis] > 1 {
      source = source.sliced(axis: axis, 0..<1)
    }
    if let layout = MatrixLayout(shape: source.shape, strides: source.strides) {
      try checkBLASInt(
        layout.leadingDimension, operation: operation, argument: argument, "a leading dimension of")
      self.layout = layout
    } else {
      try checkAllocation(source.shape, of: S.self, operation: operation, argument: argument)
      source = source.contiguousCopy()
      self.layout = MatrixLayout(rowMajorColumns: source.shape.fromEnd(1))
    }
    self.tensor = source
  }

  /// The distance between matrices along each axis of `batch`, to which the tensor's own batch axes broadcast.
  func strides(over batch: Shape) -> Strides {
    var result = Strides(repeating: 0, count: batch.count)
    let own = tensor.rank - 2
    for axis in 0..<own where tensor.shape[axis] != 1 {
      result[batch.count - own + axis] = tensor.strides[axis]
    }
    return result
  }
}
