internal import CLAPACKE
import LinearAlgebra
import Tensors

/// The element types that LAPACK decomposes: Float and Double.
///
/// The requirements are one call of LAPACKE each, row-major, and return its `info`. Use ``svd(_:)``, ``qr(_:)`` and
/// ``solve(_:_:)``.
public protocol LAPACKScalar: BLASScalar {
  /// `?gesdd` with the thin factors: overwrites `a [m×n]`, writes `u [m×p]`, `s [p]` and `vt [p×n]`, `p = min(m, n)`.
  static func gesdd(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Self>, s: UnsafeMutablePointer<Self>,
    u: UnsafeMutablePointer<Self>, vt: UnsafeMutablePointer<Self>
  ) -> Int32

  /// `?geqrf`: overwrites `a [m×n]` with R and the reflectors, writes their `min(m, n)` factors to `tau`.
  static func geqrf(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Self>, tau: UnsafeMutablePointer<Self>
  ) -> Int32

  /// `?orgqr`: turns the `p` reflectors in the first columns of `a [m×p]` into Q.
  static func orgqr(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Self>, tau: UnsafePointer<Self>
  ) -> Int32

  /// `?gesv`: overwrites `a [n×n]` with its factors and `b [n×r]` with the solution; `pivots [n]`.
  static func gesv(
    size: Int32, columns: Int32, a: UnsafeMutablePointer<Self>, pivots: UnsafeMutablePointer<Int32>,
    b: UnsafeMutablePointer<Self>
  ) -> Int32
}

/// The letter by which `?gesdd` is asked for thin factors.
private let thin = CChar(UInt8(ascii: "S"))

extension Float: LAPACKScalar {
  /// `LAPACKE_sgesdd`
  public static func gesdd(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Float>, s: UnsafeMutablePointer<Float>,
    u: UnsafeMutablePointer<Float>, vt: UnsafeMutablePointer<Float>
  ) -> Int32 {
    LAPACKE_sgesdd(
      LAPACK_ROW_MAJOR, thin, rows, columns, a, columns, s, u, min(rows, columns), vt, columns)
  }

  /// `LAPACKE_sgeqrf`
  public static func geqrf(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Float>, tau: UnsafeMutablePointer<Float>
  ) -> Int32 {
    LAPACKE_sgeqrf(LAPACK_ROW_MAJOR, rows, columns, a, columns, tau)
  }

  /// `LAPACKE_sorgqr`
  public static func orgqr(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Float>, tau: UnsafePointer<Float>
  ) -> Int32 {
    LAPACKE_sorgqr(LAPACK_ROW_MAJOR, rows, columns, columns, a, columns, tau)
  }

  /// `LAPACKE_sgesv`
  public static func gesv(
    size: Int32, columns: Int32, a: UnsafeMutablePointer<Float>, pivots: UnsafeMutablePointer<Int32>,
    b: UnsafeMutablePointer<Float>
  ) -> Int32 {
    LAPACKE_sgesv(LAPACK_ROW_MAJOR, size, columns, a, size, pivots, b, columns)
  }
}

extension Double: LAPACKScalar {
  /// `LAPACKE_dgesdd`
  public static func gesdd(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Double>, s: UnsafeMutablePointer<Double>,
    u: UnsafeMutablePointer<Double>, vt: UnsafeMutablePointer<Double>
  ) -> Int32 {
    LAPACKE_dgesdd(
      LAPACK_ROW_MAJOR, thin, rows, columns, a, columns, s, u, min(rows, columns), vt, columns)
  }

  /// `LAPACKE_dgeqrf`
  public static func geqrf(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Double>, tau: UnsafeMutablePointer<Double>
  ) -> Int32 {
    LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, rows, columns, a, columns, tau)
  }

  /// `LAPACKE_dorgqr`
  public static func orgqr(
    rows: Int32, columns: Int32, a: UnsafeMutablePointer<Double>, tau: UnsafePointer<Double>
  ) -> Int32 {
    LAPACKE_dorgqr(LAPACK_ROW_MAJOR, rows, columns, columns, a, columns, tau)
  }

  /// `LAPACKE_dgesv`
  public static func gesv(
    size: Int32, columns: Int32, a: UnsafeMutablePointer<Double>, pivots: UnsafeMutablePointer<Int32>,
    b: UnsafeMutablePointer<Double>
  ) -> Int32 {
    LAPACKE_dgesv(LAPACK_ROW_MAJOR, size, columns, a, size, pivots, b, columns)
  }
}
