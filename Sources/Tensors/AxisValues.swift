/// One integer per axis of a tensor, stored inline: a shape or a list of strides.
///
/// Up to ``maximumRank`` axes fit without any allocation, so making a view of a tensor never touches the heap.
/// Written as an array literal: `let shape: Shape = [2, 12, 128, 64]`.
public struct AxisValues: RandomAccessCollection, MutableCollection, Hashable, Sendable,
  ExpressibleByArrayLiteral, CustomStringConvertible
{
  /// The most axes that a tensor can have.
  ///
  /// Attention needs four, a packed or blocked cache five; eight leaves room and keeps a view at three cache lines.
  public static let maximumRank = 8

  @usableFromInline var values: InlineArray<8, Int>

  /// The number of axes.
  public let count: Int

  /// Takes the values in order.
  ///
  /// - Precondition: at most ``maximumRank`` values.
  @inlinable
  public init(_ values: some Collection<Int>) {
    precondition(
      values.count <= Self.maximumRank,
      "a tensor has at most \(Self.maximumRank) axes, not \(values.count)")
    self.values = InlineArray(repeating: 0)
    self.count = values.count
    var axis = 0
    for value in values {
      self.values[axis] = value
      axis += 1
    }
  }

  /// The same value for each of `count` axes.
  @inlinable
  public init(repeating value: Int, count: Int) {
    precondition(
      count >= 0 && count <= Self.maximumRank,
      "a tensor has at most \(Self.maximumRank) axes, not \(count)")
    self.values = InlineArray(repeating: 0)
    self.count = count
    for axis in 0..<count { values[axis] = value }
  }

  /// The values as written between brackets.
  @inlinable
  public init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  /// Always 0.
  @inlinable public var startIndex: Int { 0 }

  /// The number of axes.
  @inlinable public var endIndex: Int { count }

  /// The value of one axis; `-1` is not the last axis, use ``fromEnd(_:)``.
  @inlinable
  public subscript(axis: Int) -> Int {
    get {
      precondition(axis >= 0 && axis < count, "axis \(axis) of \(count) axes")
      return values[axis]
    }
    set {
      precondition(axis >= 0 && axis < count, "axis \(axis) of \(count) axes")
      values[axis] = newValue
    }
  }

  /// The value `distance` axes before the end: `fromEnd(1)` is that of the last axis.
  @inlinable
  public func fromEnd(_ distance: Int) -> Int {
    self[count - distance]
  }

  /// Equal where the counts and all values are.
  @inlinable
  public static func == (left: Self, right: Self) -> Bool {
    guard left.count == right.count else { return false }
    for axis in 0..<left.count where left.values[axis] != right.values[axis] { return false }
    return true
  }

  /// Feeds the count and each value to the hasher.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    for axis in 0..<count { hasher.combine(values[axis]) }
  }

  /// As NumPy prints a shape: `[2, 12, 128, 64]`.
  public var description: String {
    "[" + map(String.init).joined(separator: ", ") + "]"
  }
}

/// The length of each axis of a tensor.
public typealias Shape = AxisValues

/// The distance in elements between neighbours along each axis; 0 repeats an element, a negative one walks backwards.
public typealias Strides = AxisValues

extension AxisValues {
  /// The number of elements that a tensor of this shape has, or `nil` where an axis is negative or the product overflows.
  ///
  /// A shape without axes has one element, a shape with an empty axis none. Empty axes are left out of the overflow
  /// check, so that the product of any of a valid shape's axes fits an `Int`, as NumPy has it too.
  public var checkedElementCount: Int? {
    var product = 1
    var isEmpty = false
    for length in self {
      if length < 0 { return nil }
      if length == 0 {
        isEmpty = true
        continue
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      product = next
    }
    return isEmpty ? 0 : product
  }

  /// The strides of a dense row-major tensor of this shape.
  public var rowMajorStrides: Strides {
    var strides = Strides(repeating: 1, count: count)
    var step = 1
    for axis in stride(from: count - 1, through: 0, by: -1) {
      strides[axis] = step
      step &*= Swift.max(self[axis], 1)
    }
    return strides
  }
}
