/// Products of matrices and vectors by OpenBLAS.
///
/// Two levels. The functions here take pointers, for kernels: one call of CBLAS, no check in release builds, no
/// allocation. Those that take tensors check every size first and throw `AttentionError`.
///
/// All calls run on the calling thread: the first one sets OpenBLAS to one thread (see ``BLASRuntime``).
public enum BLAS {
  /// `C[m×n] = alpha · op(A)[m×k] · op(B)[k×n] + beta · C`, row-major.
  ///
  /// `op` transposes where the operand says so. With `beta == 0`, `C` is only written: what it held, NaN included, has no
  /// influence. With `k == 0` the product is zero.
  /// - Parameters:
  ///   - size: m, n and k.
  ///   - alpha: the factor of the product.
  ///   - a: `[m×k]`, or `[k×m]` stored and transposed; leading dimension at least `max(1, stored columns)`.
  ///   - b: `[k×n]`, or `[n×k]` stored and transposed; the same.
  ///   - beta: the factor of what `c` holds.
  ///   - c: `[m×n]`, which does not overlap the others.
  /// - Precondition: sizes and leading dimensions fit an `Int32` and each other; checked in debug builds only.
  @inlinable
  public static func gemm<S: BLASScalar>(
    _ size: ProductSize, alpha: S = 1, a: MatrixOperand<S>, b: MatrixOperand<S>, beta: S = 0,
    c: MutableMatrixOperand<S>
  ) {
    _ = BLASRuntime.oneThread
    assert(
      a.leadingDimension >= max(1, a.isTransposed ? size.m : size.k),
      "leading dimension \(a.leadingDimension) of a is too small for \(size)")
    assert(
      b.leadingDimension >= max(1, b.isTransposed ? size.k : size.n),
      "leading dimension \(b.leadingDimension) of b is too small for \(size)")
    assert(
      c.leadingDimension >= max(1, size.n),
      "leading dimension \(c.leadingDimension) of c is too small for \(size)")
    S.cblasGEMM(size, alpha: alpha, a: a, b: b, beta: beta, c: c)
  }

  /// `y[m] = alpha · op(A)[m×k] · x[k] + beta · y`, row-major.
  ///
  /// With `beta == 0`, `y` is only written. With `k == 0` the product is zero.
  /// - Parameters:
  ///   - size: m and k; `n` must be 1.
  ///   - alpha: the factor of the product.
  ///   - a: `[m×k]`, or `[k×m]` stored and transposed.
  ///   - x: k elements.
  ///   - beta: the factor of what `y` holds.
  ///   - y: m elements, which do not overlap the others.
  /// - Precondition: sizes, strides and leading dimensions fit an `Int32` and each other, and no stride is 0; checked in
  ///   debug builds only.
  @inlinable
  public static func gemv<S: BLASScalar>(
    _ size: ProductSize, alpha: S = 1, a: MatrixOperand<S>, x: VectorOperand<S>, beta: S = 0,
    y: MutableVectorOperand<S>
  ) {
    _ = BLASRuntime.oneThread
    assert(size.n == 1, "a vector has one column, not \(size.n)")
    assert(x.stride != 0 && y.stride != 0, "BLAS has no vectors of stride 0")
    assert(
      a.leadingDimension >= max(1, a.isTransposed ? size.m : size.k),
      "leading dimension \(a.leadingDimension) of a is too small for \(size)")
    // Some releases multiply y by a beta of 0, so that NaN stays, and all return early for k == 0: both are done here.
    if beta == 0 {
      for row in 0..<size.m { y.base[row * y.stride] = 0 }
    } else if size.k == 0 {
      for row in 0..<size.m { y.base[row * y.stride] *= beta }
    }
    if size.k == 0 { return }
    S.cblasGEMV(size, alpha: alpha, a: a, x: x, beta: beta, y: y)
  }
}
