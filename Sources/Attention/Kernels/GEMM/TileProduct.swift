import LinearAlgebra

/// Products of tiles through BLAS, in row strips where those run faster.
struct TileProduct<Scalar: BLASScalar> {
  /// See ``BLASRuntime/smallProductLimit``; nil where products stay whole.
  let smallProductLimit: Int?

  /// Fewer rows than this no longer hide the loads of the right operand: such products stay whole.
  static var fewestStripRows: Int { 12 }

  /// `C = alpha · A·B`, or `C += alpha · A·B` where `adds`.
  func multiply(
    _ size: ProductSize, _ a: MatrixOperand<Scalar>, _ b: MatrixOperand<Scalar>, alpha: Scalar,
    into c: MutableMatrixOperand<Scalar>, adds: Bool
  ) {
    let beta: Scalar = adds ? 1 : 0
    let strip = stripRows(size, b)
    var row = 0
    while row < size.m {
      let count = min(strip, size.m - row)
      BLAS.gemm(
        ProductSize(m: count, n: size.n, k: size.k), alpha: alpha,
        a: MatrixOperand(a.base + row * a.leadingDimension, leadingDimension: a.leadingDimension), b: b,
        beta: beta,
        c: MutableMatrixOperand(c.base + row * c.leadingDimension, leadingDimension: c.leadingDimension))
      row += count
    }
  }

  /// Equal strips that are small enough, or all rows at once.
  private func stripRows(_ size: ProductSize, _ b: MatrixOperand<Scalar>) -> Int {
    guard let smallProductLimit, !b.isTransposed else { return size.m }
    let most = smallProductLimit / max(1, size.n * size.k)
    if most < Self.fewestStripRows { return size.m }
    let strips = (size.m + most - 1) / most
    return (size.m + strips - 1) / strips
  }
}
