import Tensors

/// How far from the exact answer a result may lie: a relative and an absolute part.
public struct Tolerance: Hashable, Sendable {
  /// The allowed error in parts of the expected value.
  public var relative: Double
  /// The allowed error near 0.
  public var absolute: Double

  /// A tolerance with these parts.
  public init(relative: Double = 0, absolute: Double) {
    self.relative = relative
    self.absolute = absolute
  }

  /// For Float32 results from inputs of unit variance: an absolute error of 2e-6, about 17 units in the last place of 1.
  public static let unitVarianceFloat = Tolerance(absolute: 2e-6)

  /// The contract of case files for results of an element type: 1e-3 and 1e-5 for Float64 and Float32, 1e-2 and 1e-2
  /// for Float16, 2e-2 and 2e-2 for BFloat16.
  ///
  /// - Precondition: a floating-point type.
  public static func caseFile(_ elementType: ElementType) -> Tolerance {
    switch elementType {
    case .float64, .float32: Tolerance(relative: 1e-3, absolute: 1e-5)
    case .float16: Tolerance(relative: 1e-2, absolute: 1e-2)
    case .bfloat16: Tolerance(relative: 2e-2, absolute: 2e-2)
    case .int64, .int32, .int8, .uint8, .bool:
      preconditionFailure("results of attention are floating-point numbers, not \(elementType)")
    }
  }

  /// Twice the error of the plain computation in the inputs' own type, plus 1e-5: `2 · max|naive − reference| + 1e-5`.
  ///
  /// Elements where either side is not finite do not count: there the plain computation has no answer to measure with,
  /// and an infinite error would let everything pass.
  /// - Precondition: equal shapes.
  public static func twiceNaive<E: TensorElement>(_ naive: Tensor<E>, reference: Tensor<Double>) -> Tolerance
  {
    precondition(naive.shape == reference.shape, "shapes \(naive.shape) and \(reference.shape)")
    var largest = 0.0
    for (plain, exact) in zip(naive.elements, reference.elements) {
      let error = abs(plain.doubleValue - exact)
      if error.isFinite { largest = max(largest, error) }
    }
    return Tolerance(absolute: 2 * largest + 1e-5)
  }

  /// Whether a result is near enough; NaN must meet NaN, and an infinity the same infinity.
  public func accepts(_ actual: Double, expected: Double) -> Bool {
    error(of: actual, expected: expected) <= absolute + relative * (expected.isFinite ? abs(expected) : 0)
  }

  /// The element with the largest error among those that are not near enough, or nil where all are.
  ///
  /// - Precondition: equal shapes.
  public func worstMismatch<A: TensorElement, B: TensorElement>(
    _ actual: Tensor<A>, expected: Tensor<B>
  ) -> Mismatch? {
    precondition(actual.shape == expected.shape, "shapes \(actual.shape) and \(expected.shape)")
    var worst: Mismatch?
    var worstError = -1.0
    for (position, (a, b)) in zip(actual.elements, expected.elements).enumerated() {
      let (a, b) = (a.doubleValue, b.doubleValue)
      let error = error(of: a, expected: b)
      if error > worstError, !accepts(a, expected: b) {
        worst = Mismatch(position: position, shape: actual.shape, actual: a, expected: b)
        worstError = error
      }
    }
    return worst
  }

  private func error(of actual: Double, expected: Double) -> Double {
    if actual == expected || (actual.isNaN && expected.isNaN) { return 0 }
    let error = abs(actual - expected)
    return error.isNaN ? .infinity : error
  }
}

/// One element of a result that is not what was expected.
public struct Mismatch: Hashable, Sendable, CustomStringConvertible {
  /// Which element, counted in row-major order.
  public let position: Int
  /// The shape of the result.
  public let shape: Shape
  /// What was computed.
  public let actual: Double
  /// What was expected.
  public let expected: Double

  /// The index of the element along each axis.
  public var index: Shape {
    var rest = position
    var index = shape
    for axis in (0..<shape.count).reversed() {
      (rest, index[axis]) = rest.quotientAndRemainder(dividingBy: shape[axis])
    }
    return index
  }

  /// `[0, 1, 2]: 0.5, expected 0.25`
  public var description: String { "\(index): \(actual), expected \(expected)" }
}
