// Arithmetic between tensors may throw, as shapes are data, and reads `try a + b`; with a number it cannot: `a * 2`.
// Operators rather than `adding(_:)` and its like: they are what the formulas in this field are written in.

extension Tensor where Element: FloatingPointElement {
  /// The sum, element by element; axes of length 1 and missing leading axes repeat, as NumPy broadcasts.
  ///
  /// Computed in Float for the 16-bit types and rounded once, as for all of `+ - * /`. One allocation.
  /// - Throws: ``AttentionError`` where the shapes do not broadcast to a common one.
  public static func + (left: Tensor, right: Tensor) throws(AttentionError) -> Tensor {
    try broadcasting(left, .add, right)
  }

  /// The difference, element by element, broadcast as for `+`.
  ///
  /// - Throws: ``AttentionError`` where the shapes do not broadcast to a common one.
  public static func - (left: Tensor, right: Tensor) throws(AttentionError) -> Tensor {
    try broadcasting(left, .subtract, right)
  }

  /// The product, element by element (not the matrix product), broadcast as for `+`.
  ///
  /// - Throws: ``AttentionError`` where the shapes do not broadcast to a common one.
  public static func * (left: Tensor, right: Tensor) throws(AttentionError) -> Tensor {
    try broadcasting(left, .multiply, right)
  }

  /// The quotient, element by element, broadcast as for `+`; x/0 is infinite and 0/0 NaN.
  ///
  /// - Throws: ``AttentionError`` where the shapes do not broadcast to a common one.
  public static func / (left: Tensor, right: Tensor) throws(AttentionError) -> Tensor {
    try broadcasting(left, .divide, right)
  }

  /// Every element plus a number.
  public static func + (left: Tensor, right: Element) -> Tensor {
    combined(left, .add, repeated(right, left.shape))
  }

  /// Every element less a number.
  public static func - (left: Tensor, right: Element) -> Tensor {
    combined(left, .subtract, repeated(right, left.shape))
  }

  /// Every element times a number.
  public static func * (left: Tensor, right: Element) -> Tensor {
    combined(left, .multiply, repeated(right, left.shape))
  }

  /// Every element divided by a number.
  public static func / (left: Tensor, right: Element) -> Tensor {
    combined(left, .divide, repeated(right, left.shape))
  }

  /// A number plus every element.
  public static func + (left: Element, right: Tensor) -> Tensor {
    combined(repeated(left, right.shape), .add, right)
  }

  /// A number less every element.
  public static func - (left: Element, right: Tensor) -> Tensor {
    combined(repeated(left, right.shape), .subtract, right)
  }

  /// A number times every element.
  public static func * (left: Element, right: Tensor) -> Tensor {
    combined(repeated(left, right.shape), .multiply, right)
  }

  /// A number divided by every element.
  public static func / (left: Element, right: Tensor) -> Tensor {
    combined(repeated(left, right.shape), .divide, right)
  }
}

/// The four operations, by their symbols.
private enum ArithmeticOperation: String {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
}

extension Tensor where Element: FloatingPointElement {
  /// One number seen with this shape.
  private static func repeated(_ value: Element, _ shape: Shape) -> Tensor {
    let single = Tensor(repeating: value, shape: [])
    return Tensor(
      memory: single.memory,
      layout: TensorLayout(shape: shape, strides: Strides(repeating: 0, count: shape.count)))
  }

  private static func broadcasting(
    _ left: Tensor, _ operation: ArithmeticOperation, _ right: Tensor
  ) throws(AttentionError) -> Tensor {
    guard let shape = left.shape.broadcast(with: right.shape) else {
      throw AttentionError(
        operation.rawValue, "shapes \(left.shape) and \(right.shape) do not broadcast to a common one")
    }
    return combined(try left.broadcast(to: shape), operation, try right.broadcast(to: shape))
  }

  /// Two tensors of one shape, combined element by element.
  private static func combined(_ left: Tensor, _ operation: ArithmeticOperation, _ right: Tensor) -> Tensor {
    Tensor(unsafeUninitializedShape: left.shape) { buffer in
      guard var next = buffer.baseAddress else { return }
      left.withUnsafePointer { leftBase in
        right.withUnsafePointer { rightBase in
          forEachRowPair(shape: left.shape, strides: left.strides, right.strides) {
            offset1, step1, offset2, step2, count in
            combineRow(
              operation, StridedRow(base: leftBase + offset1, step: step1),
              StridedRow(base: rightBase + offset2, step: step2), into: next, count: count)
            next += count
          }
        }
      }
    }
  }
}

/// Elements that are read one after the other, some way apart.
private struct StridedRow<Element> {
  let base: UnsafePointer<Element>
  /// From one to the next, in elements.
  let step: Int

  subscript(index: Int) -> Element { base[index * step] }

  /// The same memory by another name of its type.
  func assumingMemoryBound<Other>(to type: Other.Type) -> StridedRow<Other> {
    StridedRow<Other>(base: UnsafeRawPointer(base).assumingMemoryBound(to: type), step: step)
  }
}

/// Combines two rows in Float or Double, whichever the elements are or fit into.
private func combineRow<Element: FloatingPointElement>(
  _ operation: ArithmeticOperation, _ left: StridedRow<Element>, _ right: StridedRow<Element>,
  into target: UnsafeMutablePointer<Element>, count: Int
) {
  let rawTarget = UnsafeMutableRawPointer(target)
  switch Element.elementType {
  case .float32:
    combine(
      operation, left.assumingMemoryBound(to: Float.self), right.assumingMemoryBound(to: Float.self),
      into: rawTarget.assumingMemoryBound(to: Float.self), count: count)
  case .float64:
    combine(
      operation, left.assumingMemoryBound(to: Double.self), right.assumingMemoryBound(to: Double.self),
      into: rawTarget.assumingMemoryBound(to: Double.self), count: count)
  // No integers come here. They are named so that a new type must be.
  case .float16, .bfloat16, .int64, .int32, .int8, .uint8, .bool:
    let capacity = 512
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * capacity) { buffer in
      guard let wideLeft = buffer.baseAddress else { return }
      let wideRight = wideLeft + capacity
      for start in stride(from: 0, to: count, by: capacity) {
        let length = min(capacity, count - start)
        convertRow(from: left.base + start * left.step, stride: left.step, to: wideLeft, count: length)
        convertRow(from: right.base + start * right.step, stride: right.step, to: wideRight, count: length)
        combine(
          operation, StridedRow(base: wideLeft, step: 1), StridedRow(base: wideRight, step: 1),
          into: wideLeft, count: length)
        convertRow(from: wideLeft, stride: 1, to: target + start, count: length)
      }
    }
  }
}

@inline(__always)
private func combine<Wide: BinaryFloatingPoint>(
  _ operation: ArithmeticOperation, _ left: StridedRow<Wide>, _ right: StridedRow<Wide>,
  into target: UnsafeMutablePointer<Wide>, count: Int
) {
  switch operation {
  case .add: for index in 0..<count { target[index] = left[index] + right[index] }
  case .subtract: for index in 0..<count { target[index] = left[index] - right[index] }
  case .multiply: for index in 0..<count { target[index] = left[index] * right[index] }
  case .divide: for index in 0..<count { target[index] = left[index] / right[index] }
  }
}

extension AxisValues {
  /// The shape that both broadcast to, or nil where there is none.
  func broadcast(with other: Shape) -> Shape? {
    var result = Shape(repeating: 1, count: Swift.max(count, other.count))
    for distance in Swift.stride(from: 1, through: result.count, by: 1) {
      let mine = distance <= count ? fromEnd(distance) : 1
      let theirs = distance <= other.count ? other.fromEnd(distance) : 1
      guard mine == theirs || mine == 1 || theirs == 1 else { return nil }
      result[result.count - distance] = mine == 1 ? theirs : mine
    }
    return result.checkedElementCount == nil ? nil : result
  }
}
