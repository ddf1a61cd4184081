import Parallelism
import Tensors

/// A batch of matrix products, checked: everything fits BLAS.
struct MatrixProduct<S: BLASScalar> {
  let shape: ProductShape
  let a: MatrixBatch<S>
  let b: MatrixBatch<S>

  /// Copies the operands that BLAS cannot read in place: check what else can be refused before.
  ///
  /// - Parameters:
  ///   - shape: that of these two tensors, 1-D ones included.
  ///   - a: at least 2-D, or 1-D: one row.
  ///   - b: at least 2-D, or 1-D: one column.
  init(_ shape: ProductShape, _ a: Tensor<S>, _ b: Tensor<S>) throws(AttentionError) {
    self.shape = shape
    self.a = try MatrixBatch(
      a.rank == 1 ? a.expanded(axis: 0) : a, operation: shape.operation, argument: "a")
    self.b = try MatrixBatch(
      b.rank == 1 ? b.expanded(axis: 1) : b, operation: shape.operation, argument: shape.nameOfB)
  }

  /// `c = alpha · a · b + beta · c` for every matrix of the batch.
  ///
  /// - Throws: `AttentionError` where `c` has another shape than ``ProductShape/full``, or strides that BLAS cannot write.
  func write(
    to c: MutableTensorView<S>, alpha: S = 1, beta: S = 0, maximumThreads: Int = .max
  ) throws(AttentionError) {
    if c.shape != shape.full {
      throw .invalidArgument(
        operation: shape.operation, argument: "c", given: "shape \(c.shape)", expected: "\(shape.full)")
    }
    let hasRepeats = zip(c.shape, c.strides).contains { $0 > 1 && $1 == 0 }
    guard !hasRepeats, let layout = MatrixLayout(shape: c.shape, strides: c.strides) else {
      throw .invalidArgument(
        operation: shape.operation, argument: "c", given: "strides \(c.strides)",
        expected: "neighbouring elements along one of the last two axes, and none twice")
    }
    try checkBLASInt(
      layout.leadingDimension, operation: shape.operation, argument: "c", "a leading dimension of")
    if c.shape.contains(0) { return }
    a.tensor.withUnsafePointer { aBase in
      b.tensor.withUnsafePointer { bBase in
        let operands = BatchedOperands(
          size: shape.size, batch: shape.batch,
          a: MatrixOperand(
            aBase, leadingDimension: a.layout.leadingDimension, isTransposed: a.layout.isTransposed),
          b: MatrixOperand(
            bBase, leadingDimension: b.layout.leadingDimension, isTransposed: b.layout.isTransposed),
          c: MutableMatrixOperand(c.base, leadingDimension: layout.leadingDimension),
          strides: (a.strides(over: shape.batch), b.strides(over: shape.batch), c.strides))
        (layout.isTransposed ? operands.transposed : operands)
          .multiply(alpha: alpha, beta: beta, maximumThreads: maximumThreads)
      }
    }
  }
}

/// The pointers of a batch of products `C = A · B` with a row-major C, and the tasks that compute it.
private struct BatchedOperands<S: BLASScalar> {
  var size: ProductSize
  let batch: Shape
  var a: MatrixOperand<S>
  var b: MatrixOperand<S>
  let c: MutableMatrixOperand<S>
  /// The distances between matrices of the batch, for A, B and C.
  var strides: (a: Strides, b: Strides, c: Strides)

  /// `Cᵀ = Bᵀ · Aᵀ`, for a C that is stored column by column.
  var transposed: BatchedOperands {
    var result = self
    result.size = ProductSize(m: size.n, n: size.m, k: size.k)
    (result.a, result.b) = (b, a)
    result.a.isTransposed.toggle()
    result.b.isTransposed.toggle()
    result.strides = (strides.b, strides.a, strides.c)
    return result
  }

  /// Handing tasks to other threads costs microseconds: a product of less work than this is done by the time they wake.
  private static var serialWork: Double { 1_048_576 }

  func multiply(alpha: S, beta: S, maximumThreads: Int) {
    let tiles = ProductTiles(size)
    let matrices = batch.reduce(1, *)
    let rows = max(size.m, ProductTiles.memoryBoundRows)
    let work = Double(matrices) * Double(rows) * Double(size.n) * Double(max(size.k, 1))
    let body = { (task: Int) in
      let (matrix, tile) = task.quotientAndRemainder(dividingBy: tiles.count)
      multiplyTile(tiles[tile], ofMatrix: matrix, alpha: alpha, beta: beta)
    }
    if maximumThreads <= 1 || work < Self.serialWork {
      for task in 0..<(matrices * tiles.count) { body(task) }
    } else {
      WorkerPool.shared.run(matrices * tiles.count, maximumThreads: maximumThreads, body)
    }
  }

  private func multiplyTile(
    _ tile: (rows: Range<Int>, columns: Range<Int>), ofMatrix matrix: Int, alpha: S, beta: S
  ) {
    let row = tile.rows.lowerBound
    let column = tile.columns.lowerBound
    var a = a
    var b = b
    var c = c
    a.base += offset(matrix, strides.a) + row * (a.isTransposed ? 1 : a.leadingDimension)
    b.base += offset(matrix, strides.b) + column * (b.isTransposed ? b.leadingDimension : 1)
    c.base += offset(matrix, strides.c) + row * c.leadingDimension + column
    // A gemm packs its operands first, which a product with one row or column never earns back.
    if size.n == 1 {
      BLAS.gemv(
        ProductSize(m: tile.rows.count, n: 1, k: size.k), alpha: alpha, a: a,
        x: VectorOperand(b.base, stride: b.isTransposed ? 1 : b.leadingDimension), beta: beta,
        y: MutableVectorOperand(c.base, stride: c.leadingDimension))
    } else if size.m == 1 {
      BLAS.gemv(
        ProductSize(m: tile.columns.count, n: 1, k: size.k), alpha: alpha,
        a: MatrixOperand(b.base, leadingDimension: b.leadingDimension, isTransposed: !b.isTransposed),
        x: VectorOperand(a.base, stride: a.isTransposed ? a.leadingDimension : 1), beta: beta,
        y: MutableVectorOperand(c.base))
    } else {
      BLAS.gemm(
        ProductSize(m: tile.rows.count, n: tile.columns.count, k: size.k), alpha: alpha, a: a, b: b,
        beta: beta, c: c)
    }
  }

  /// Where a matrix of the batch starts, counted in row-major order.
  private func offset(_ matrix: Int, _ strides: Strides) -> Int {
    var rest = matrix
    var offset = 0
    for axis in stride(from: batch.count - 1, through: 0, by: -1) {
      let (outer, index) = rest.quotientAndRemainder(dividingBy: batch[axis])
      offset += index * strides[axis]
      rest = outer
    }
    return offset
  }
}
