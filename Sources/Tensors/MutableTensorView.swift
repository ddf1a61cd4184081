/// A strided window onto memory that may be written: how a kernel, or a caller with memory of its own, names its output.
///
/// A view does not own its memory: it is valid while the memory is (inside ``Tensor/withMutableView(_:)``, or as long as the
/// caller of ``init(base:shape:strides:)`` keeps it). Whoever writes through it must be the only one to touch these elements.
public struct MutableTensorView<Element: TensorElement> {
  /// The element at index `[0, 0, …]`.
  public let base: UnsafeMutablePointer<Element>

  /// The length of each axis.
  public let shape: Shape

  /// The distance in elements between neighbours along each axis.
  public let strides: Strides

  /// A window onto memory that the caller keeps valid.
  ///
  /// - Precondition: one stride per axis.
  public init(base: UnsafeMutablePointer<Element>, shape: Shape, strides: Strides? = nil) {
    let strides = strides ?? shape.rowMajorStrides
    precondition(strides.count == shape.count, "\(strides.count) strides for \(shape.count) axes")
    self.base = base
    self.shape = shape
    self.strides = strides
  }

  /// The axes in another order; `permuted(0, 2, 1, 3)` swaps the middle two of four.
  public func permuted(_ order: Int...) -> MutableTensorView {
    let (shape, strides) = permutedAxes(shape, strides, Shape(order))
    return MutableTensorView(base: base, shape: shape, strides: strides)
  }

  /// Part of one axis.
  ///
  /// - Precondition: `range` lies within the axis.
  public func sliced(axis: Int, _ range: Range<Int>) -> MutableTensorView {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "range \(range) on axis \(axis) of length \(shape[axis])")
    var shape = shape
    shape[axis] = range.count
    return MutableTensorView(
      base: base + range.lowerBound * strides[axis], shape: shape, strides: strides)
  }
}
