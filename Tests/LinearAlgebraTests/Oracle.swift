import Decompositions
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Uniform in −1 ..< 1, rounded to the element type.
func randomTensor<E: FloatingPointElement>(_ shape: Shape, of: E.Type, seed: UInt64) -> Tensor<E> {
  .uniform(shape, in: -1..<1, seed: seed)
}

/// A triple loop in Double over one matrix product of tensors, and how far a sum in another type may be from it.
struct ProductOracle {
  let values: [Double]
  /// `Σ|a|·|b|` of each element.
  let magnitudes: [Double]
  let k: Int

  /// `a [m, k]`, `b [k, n]` with any strides.
  init<E: FloatingPointElement>(_ a: Tensor<E>, _ b: Tensor<E>) {
    let (m, k, n) = (a.shape[0], a.shape[1], b.shape[1])
    let left = a.elements.map(\.doubleValue)
    let right = b.elements.map(\.doubleValue)
    var values = [Double](repeating: 0, count: m * n)
    var magnitudes = values
    for i in 0..<m {
      for p in 0..<k {
        for j in 0..<n {
          let term = left[i * k + p] * right[p * n + j]
          values[i * n + j] += term
          magnitudes[i * n + j] += term.magnitude
        }
      }
    }
    self.values = values
    self.magnitudes = magnitudes
    self.k = k
  }

  /// What is wrong with `result = alpha · product + beta · before`, or nil.
  ///
  /// A sum of k products in any order is within `k · u · Σ|a||b|` of the exact one (u = half an ulp of 1); the factors alpha
  /// and beta and the last addition round three times more, and the oracle's own k roundings in Double count for Double.
  func mismatch<S: BLASScalar>(
    _ result: [S], alpha: Double = 1, beta: Double = 0, before: [S]? = nil
  ) -> String? {
    guard result.count == values.count else { return "\(result.count) elements, not \(values.count)" }
    let unit = S.ulpOfOne.doubleValue / 2
    for index in values.indices {
      let old = beta == 0 ? 0 : beta * (before?[index].doubleValue ?? 0)
      let expected = alpha * values[index] + old
      let scale = alpha.magnitude * magnitudes[index] + old.magnitude
      let bound = Double(2 * k + 4) * unit * scale
      let error = (result[index].doubleValue - expected).magnitude
      if !(error <= bound) {
        return "element \(index): \(result[index]), expected \(expected) within \(bound)"
      }
    }
    return nil
  }
}

/// The matrices that BLAS can be given in different ways: each has the shape asked for and is not all row-major.
enum View: String, CaseIterable, Sendable {
  case dense, transposed, padded, everyOther, bothStrided, reversedRows, broadcastRow, broadcastColumn

  func make<S: FloatingPointElement>(_ rows: Int, _ columns: Int, of: S.Type, seed: UInt64) throws -> Tensor<
    S
  > {
    switch self {
    case .dense:
      return randomTensor([rows, columns], of: S.self, seed: seed)
    case .transposed:
      return randomTensor([columns, rows], of: S.self, seed: seed).transposed()
    case .padded:
      return randomTensor([rows + 1, columns + 3], of: S.self, seed: seed)
        .sliced(axis: 0, 1..<(rows + 1)).sliced(axis: 1, 2..<(columns + 2))
    case .everyOther:
      return randomTensor([2 * rows, columns], of: S.self, seed: seed).sliced(axis: 0, 0..<(2 * rows), by: 2)
    case .bothStrided:
      return randomTensor([2 * rows, 3 * columns], of: S.self, seed: seed)
        .sliced(axis: 0, 0..<(2 * rows), by: 2).sliced(axis: 1, 0..<(3 * columns), by: 3)
    case .reversedRows:
      return try reversed(randomTensor([rows, columns], of: S.self, seed: seed))
    case .broadcastRow:
      return try randomTensor([1, columns], of: S.self, seed: seed).broadcast(to: [rows, columns])
    case .broadcastColumn:
      return try randomTensor([rows, 1], of: S.self, seed: seed).broadcast(to: [rows, columns])
    }
  }

  /// The rows from last to first: a negative stride over the same memory.
  private func reversed<S: FloatingPointElement>(_ matrix: Tensor<S>) throws -> Tensor<S> {
    guard !matrix.isEmpty else { return matrix }
    let (rows, columns) = (matrix.shape[0], matrix.shape[1])
    return try tensor(
      over: matrix, from: (rows - 1) * columns, shape: matrix.shape, strides: [-columns, 1])
  }
}

/// Shapes of decompositions: empty, one, square, tall, wide; beyond LAPACK's block size of 64 too.
let decomposedShapes: [Shape] = [
  [0, 0], [0, 3], [3, 0], [1, 1], [1, 5], [5, 1], [4, 4], [17, 5], [5, 17], [65, 65], [130, 70], [70, 130],
]

/// The bound of LAPACK's own test programs: a backward error of up to 30 · max(m, n) · ε times the norm of the matrix.
func lapackBound<S: LAPACKScalar>(_ matrix: Tensor<S>) -> Double {
  let norm = matrix.elements.reduce(0) { $0 + $1.doubleValue * $1.doubleValue }.squareRoot()
  return 30 * Double(max(matrix.shape[0], matrix.shape[1])) * S.ulpOfOne.doubleValue * norm
}

/// The largest difference between the product of two matrices, in Double, and what it should be.
func largestError<S: LAPACKScalar>(_ a: Tensor<S>, _ b: Tensor<S>, _ expected: [Double]) -> Double {
  let product = ProductOracle(a, b).values
  guard product.count == expected.count else { return .infinity }
  return zip(product, expected).reduce(0) { $1.0 == $1.1 ? $0 : max($0, ($1.0 - $1.1).magnitude.orInfinity) }
}

/// The rows of an identity matrix, one after the other.
func identity(_ count: Int) -> [Double] {
  (0..<(count * count)).map { $0 / max(count, 1) == $0 % max(count, 1) ? 1 : 0 }
}

extension Double {
  /// NaN compares with nothing: as an error it is the largest.
  fileprivate var orInfinity: Double { isNaN ? .infinity : self }
}

/// Checks that `call` refuses NaN and infinities, wherever they stand, and says where.
func expectRefusal<S: LAPACKScalar, Result>(
  of value: S, _ call: (Tensor<S>) throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) {
  var matrix = randomTensor([4, 4], of: S.self, seed: 1)
  matrix[2, 1] = value
  let error = #expect(throws: AttentionError.self, sourceLocation: sourceLocation) { try call(matrix) }
  #expect(
    error?.description.contains("at [2, 1], expected finite elements") == true,
    "\(String(describing: error))", sourceLocation: sourceLocation)
}
