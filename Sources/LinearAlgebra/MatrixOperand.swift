/// The sizes of a matrix product `[m×k] · [k×n] = [m×n]`.
@frozen
public struct ProductSize: Equatable, Sendable {
  /// Rows of the left matrix and of the product.
  public var m: Int
  /// Columns of the right matrix and of the product.
  public var n: Int
  /// Columns of the left matrix, rows of the right one: the length of each sum.
  public var k: Int

  /// The three sizes.
  @inlinable
  public init(m: Int, n: Int, k: Int) {
    self.m = m
    self.n = n
    self.k = k
  }
}

/// A matrix that BLAS reads: where it lies and how.
@frozen
public struct MatrixOperand<Scalar> {
  /// The first element.
  public var base: UnsafePointer<Scalar>

  /// The distance in elements between rows of the matrix as it is stored.
  public var leadingDimension: Int

  /// Whether the product uses the transpose of what is stored: its rows are then the matrix's columns.
  public var isTransposed: Bool

  /// A matrix stored row by row, or column by column where `isTransposed`.
  @inlinable
  public init(_ base: UnsafePointer<Scalar>, leadingDimension: Int, isTransposed: Bool = false) {
    self.base = base
    self.leadingDimension = leadingDimension
    self.isTransposed = isTransposed
  }
}

/// A row-major matrix that BLAS writes.
@frozen
public struct MutableMatrixOperand<Scalar> {
  /// The first element.
  public var base: UnsafeMutablePointer<Scalar>

  /// The distance in elements between rows.
  public var leadingDimension: Int

  /// A matrix stored row by row.
  @inlinable
  public init(_ base: UnsafeMutablePointer<Scalar>, leadingDimension: Int) {
    self.base = base
    self.leadingDimension = leadingDimension
  }
}

/// A vector that BLAS reads.
@frozen
public struct VectorOperand<Scalar> {
  /// Element 0, whichever way the vector runs.
  public var base: UnsafePointer<Scalar>

  /// The distance in elements between neighbours: not 0; negative ones walk backwards from ``base``.
  public var stride: Int

  /// A vector that starts at `base`.
  @inlinable
  public init(_ base: UnsafePointer<Scalar>, stride: Int = 1) {
    self.base = base
    self.stride = stride
  }
}

/// A vector that BLAS writes.
@frozen
public struct MutableVectorOperand<Scalar> {
  /// Element 0, whichever way the vector runs.
  public var base: UnsafeMutablePointer<Scalar>

  /// The distance in elements between neighbours: not 0; negative ones walk backwards from ``base``.
  public var stride: Int

  /// A vector that starts at `base`.
  @inlinable
  public init(_ base: UnsafeMutablePointer<Scalar>, stride: Int = 1) {
    self.base = base
    self.stride = stride
  }
}
