import Tensors

extension BLAS {
  /// `c = alpha · a · b + beta · c` for matrices.
  ///
  /// Transposed views are read in place; an operand whose strides BLAS cannot read is copied once, and so is `c` where its
  /// storage is shared. With `beta == 0`, what `c` held has no influence. Large products use the library's pool, with
  /// the same bits whatever the number of threads.
  /// - Parameters:
  ///   - alpha: the factor of the product.
  ///   - a: `[m, k]`
  ///   - b: `[k, n]`
  ///   - beta: the factor of what `c` holds.
  ///   - c: `[m, n]`
  /// - Throws: `AttentionError` where shapes do not fit each other or the 32-bit integers of BLAS; `c` is unchanged.
  public static func gemm<S: BLASScalar>(
    alpha: S = 1, _ a: Tensor<S>, _ b: Tensor<S>, beta: S = 0, into c: inout Tensor<S>
  ) throws(AttentionError) {
    try checkRank(a, 2, operation: "gemm", argument: "a")
    try checkRank(b, 2, operation: "gemm", argument: "b")
    try multiply("gemm", alpha: alpha, a, b, beta: beta, into: &c)
  }

  /// `y = alpha · a · x + beta · y` for a matrix and vectors.
  ///
  /// Copies, threads and `beta == 0` as in ``gemm(alpha:_:_:beta:into:)``.
  /// - Parameters:
  ///   - alpha: the factor of the product.
  ///   - a: `[m, k]`
  ///   - x: `[k]`
  ///   - beta: the factor of what `y` holds.
  ///   - y: `[m]`
  /// - Throws: `AttentionError` where shapes do not fit each other or the 32-bit integers of BLAS; `y` is unchanged.
  public static func gemv<S: BLASScalar>(
    alpha: S = 1, _ a: Tensor<S>, _ x: Tensor<S>, beta: S = 0, into y: inout Tensor<S>
  ) throws(AttentionError) {
    try checkRank(a, 2, operation: "gemv", argument: "a")
    try checkRank(x, 1, operation: "gemv", argument: "x")
    try checkRank(y, 1, operation: "gemv", argument: "y")
    let shape = try ProductShape(operation: "gemv", a: a.shape, b: x.shape, nameOfB: "x")
    try check(y, shape.output, operation: "gemv", argument: "y")
    let product = try MatrixProduct(shape, a, x)
    if y.strides[0] < 1 { y = y.contiguousCopy() }
    try y.withMutableView { view throws(AttentionError) in
      let column = MutableTensorView(
        base: view.base, shape: [view.shape[0], 1], strides: [view.strides[0], 1])
      try product.write(to: column, alpha: alpha, beta: beta)
    }
  }

  /// `c[…] = alpha · a[…] · b[…] + beta · c[…]` for batches of matrices.
  ///
  /// Batch axes of `a` and `b` broadcast. Copies, threads and `beta == 0` as in ``gemm(alpha:_:_:beta:into:)``; the
  /// result for one matrix does not depend on the others.
  /// - Parameters:
  ///   - alpha: the factor of the product.
  ///   - a: `[…, m, k]`
  ///   - b: `[…, k, n]`
  ///   - beta: the factor of what `c` holds.
  ///   - c: `[…, m, n]`
  /// - Throws: `AttentionError` where shapes do not fit each other or the 32-bit integers of BLAS; `c` is unchanged.
  public static func batchedGEMM<S: BLASScalar>(
    alpha: S = 1, _ a: Tensor<S>, _ b: Tensor<S>, beta: S = 0, into c: inout Tensor<S>
  ) throws(AttentionError) {
    for (argument, tensor) in [("a", a), ("b", b)] where tensor.rank < 2 {
      throw .invalidArgument(
        operation: "batchedGEMM", argument: argument, given: "shape \(tensor.shape)",
        expected: "at least 2 axes")
    }
    try multiply("batchedGEMM", alpha: alpha, a, b, beta: beta, into: &c)
  }

  private static func multiply<S: BLASScalar>(
    _ operation: String, alpha: S, _ a: Tensor<S>, _ b: Tensor<S>, beta: S, into c: inout Tensor<S>
  ) throws(AttentionError) {
    let shape = try ProductShape(operation: operation, a: a.shape, b: b.shape)
    try check(c, shape.full, operation: operation, argument: "c")
    let product = try MatrixProduct(shape, a, b)
    if MatrixLayout(shape: c.shape, strides: c.strides) == nil { c = c.contiguousCopy() }
    try c.withMutableView { view throws(AttentionError) in
      try product.write(to: view, alpha: alpha, beta: beta)
    }
  }

  /// Throws where a result has another shape than expected, or could not be copied should it have to be.
  private static func check<S>(
    _ result: Tensor<S>, _ expected: Shape, operation: String, argument: String
  ) throws(AttentionError) {
    if result.shape != expected {
      throw .invalidArgument(
        operation: operation, argument: argument, given: "shape \(result.shape)", expected: "\(expected)")
    }
    try checkAllocation(expected, of: S.self, operation: operation, argument: argument)
  }

  private static func checkRank<S>(
    _ tensor: Tensor<S>, _ rank: Int, operation: String, argument: String
  ) throws(AttentionError) {
    if tensor.rank != rank {
      throw .invalidArgument(
        operation: operation, argument: argument, given: "shape \(tensor.shape)",
        expected: rank == 1 ? "1 axis" : "\(rank) axes")
    }
  }
}
