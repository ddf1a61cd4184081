internal import COpenBLAS
import Parallelism
import Tensors

/// The element types that BLAS computes in: Float and Double.
///
/// The requirements are one call of CBLAS each, nothing more: call them through ``BLAS``.
public protocol BLASScalar: FloatingPointElement, BinaryFloatingPoint {
  /// `cblas_?gemm`, row-major.
  static func cblasGEMM(
    _ size: ProductSize, alpha: Self, a: MatrixOperand<Self>, b: MatrixOperand<Self>, beta: Self,
    c: MutableMatrixOperand<Self>)

  /// `cblas_?gemv`, row-major; `size.n` is not used.
  static func cblasGEMV(
    _ size: ProductSize, alpha: Self, a: MatrixOperand<Self>, x: VectorOperand<Self>, beta: Self,
    y: MutableVectorOperand<Self>)
}

extension Float: BLASScalar {
  /// `cblas_sgemm`
  public static func cblasGEMM(
    _ size: ProductSize, alpha: Float, a: MatrixOperand<Float>, b: MatrixOperand<Float>, beta: Float,
    c: MutableMatrixOperand<Float>
  ) {
    ForkGate.inside {
      cblas_sgemm(
        CblasRowMajor, a.cblasTranspose, b.cblasTranspose,
        blasInt(size.m), blasInt(size.n), blasInt(size.k),
        alpha, a.base, blasInt(a.leadingDimension), b.base, blasInt(b.leadingDimension),
        beta, c.base, blasInt(c.leadingDimension))
    }
  }

  /// `cblas_sgemv`
  public static func cblasGEMV(
    _ size: ProductSize, alpha: Float, a: MatrixOperand<Float>, x: VectorOperand<Float>, beta: Float,
    y: MutableVectorOperand<Float>
  ) {
    ForkGate.inside {
      cblas_sgemv(
        CblasRowMajor, a.cblasTranspose,
        blasInt(a.isTransposed ? size.k : size.m), blasInt(a.isTransposed ? size.m : size.k),
        alpha, a.base, blasInt(a.leadingDimension),
        x.base + lowest(x.stride, size.k), blasInt(x.stride),
        beta, y.base + lowest(y.stride, size.m), blasInt(y.stride))
    }
  }
}

extension Double: BLASScalar {
  /// `cblas_dgemm`
  public static func cblasGEMM(
    _ size: ProductSize, alpha: Double, a: MatrixOperand<Double>, b: MatrixOperand<Double>, beta: Double,
    c: MutableMatrixOperand<Double>
  ) {
    ForkGate.inside {
      cblas_dgemm(
        CblasRowMajor, a.cblasTranspose, b.cblasTranspose,
        blasInt(size.m), blasInt(size.n), blasInt(size.k),
        alpha, a.base, blasInt(a.leadingDimension), b.base, blasInt(b.leadingDimension),
        beta, c.base, blasInt(c.leadingDimension))
    }
  }

  /// `cblas_dgemv`
  public static func cblasGEMV(
    _ size: ProductSize, alpha: Double, a: MatrixOperand<Double>, x: VectorOperand<Double>, beta: Double,
    y: MutableVectorOperand<Double>
  ) {
    ForkGate.inside {
      cblas_dgemv(
        CblasRowMajor, a.cblasTranspose,
        blasInt(a.isTransposed ? size.k : size.m), blasInt(a.isTransposed ? size.m : size.k),
        alpha, a.base, blasInt(a.leadingDimension),
        x.base + lowest(x.stride, size.k), blasInt(x.stride),
        beta, y.base + lowest(y.stride, size.m), blasInt(y.stride))
    }
  }
}

extension MatrixOperand {
  fileprivate var cblasTranspose: CBLAS_TRANSPOSE { isTransposed ? CblasTrans : CblasNoTrans }
}

/// A size as BLAS takes it. The caller knows that it fits.
private func blasInt(_ value: Int) -> Int32 {
  assert(Int32(exactly: value) != nil, "\(value) does not fit the 32-bit integers of BLAS")
  return Int32(truncatingIfNeeded: value)
}

/// Where BLAS wants the address of a vector: its lowest element, which is the last one under a negative stride.
private func lowest(_ stride: Int, _ count: Int) -> Int {
  stride < 0 && count > 0 ? (count - 1) * stride : 0
}
