import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// What the naive kernel's loops stand on: a matrix, one inner loop, and the two types of sums.

/// `y[c] += factor · x[c]`, the innermost loop of both products.
@inline(__always)
func addRow<Sum: NaiveSum>(
  _ x: UnsafeMutablePointer<Sum>, times factor: Sum, to y: UnsafeMutablePointer<Sum>, count: Int
) {
  for c in 0..<count { y[c] += factor * x[c] }
}

/// A matrix in row-major order. Its rows are plain pointers: a checked index in the innermost loop would keep the
/// compiler from vector instructions.
final class Matrix<Sum: NaiveSum> {
  private let base: UnsafeMutablePointer<Sum>
  private let columns: Int

  /// Zeros.
  init(rows: Int, columns: Int) {
    base = .allocate(capacity: max(rows * columns, 1))
    base.initialize(repeating: 0, count: rows * columns)
    self.columns = columns
  }

  /// The elements of a tensor of two axes, in the type of the sums.
  convenience init<E: FloatingPointElement>(_ tensor: Tensor<E>) {
    self.init(rows: tensor.shape[0], columns: tensor.shape[1])
    for (position, element) in tensor.elements.enumerated() {
      base[position] = Sum(nearest: element.doubleValue)
    }
  }

  deinit { base.deallocate() }

  /// The first element of a row; valid while the matrix is.
  func row(_ index: Int) -> UnsafeMutablePointer<Sum> { base + index * columns }
}

/// The value that is left after a trip through `E`.
@inline(__always)
func rounded<E: FloatingPointElement, Sum: NaiveSum>(_ value: Sum, to _: E.Type) -> Sum {
  Sum(nearest: E(nearest: value.doubleValue).doubleValue)
}

/// What sums are kept in: Float or Double.
protocol NaiveSum: FloatingPointElement, BinaryFloatingPoint {
  /// `e` to this power.
  var exponential: Self { get }
  /// The hyperbolic tangent of this number.
  var hyperbolicTangent: Self { get }
}

extension Float: NaiveSum {
  var exponential: Float { exp(self) }
  var hyperbolicTangent: Float { tanh(self) }
}

extension Double: NaiveSum {
  var exponential: Double { exp(self) }
  var hyperbolicTangent: Double { tanh(self) }
}
