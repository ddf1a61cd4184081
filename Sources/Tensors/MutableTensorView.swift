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

  /// Whether two indices might share an element, as far as strides in order of their size tell: who writes needs a place for each.
  public var mayOverlap: Bool { layout.mayOverlap }

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
}

// MARK: - Elements

extension MutableTensorView {
  /// The element at an index per axis, in the memory that the view looks at.
  ///
  /// - Precondition: one index per axis, each within its axis.
  @inlinable
  public subscript(indices: Int...) -> Element {
    get { base[elementOffset(of: indices, shape: shape, strides: strides)] }
    nonmutating set { base[elementOffset(of: indices, shape: shape, strides: strides)] = newValue }
  }

  /// Writes a tensor's elements through the view; one copy, and no allocation.
  ///
  /// The source must not be a window onto the same memory.
  /// - Throws: ``AttentionError`` where the shapes differ; nothing is written then.
  public func assign(from source: Tensor<Element>) throws(AttentionError) {
    guard source.shape == shape else {
      throw AttentionError("assign(from:)", "shape \(source.shape), expected the view's shape \(shape)")
    }
    copyElements(of: source)
  }

  /// ``assign(from:)`` where the shapes are known to be equal.
  func copyElements(of source: Tensor<Element>) {
    source.withUnsafePointer { from in
      forEachRowPair(shape: shape, strides: source.strides, strides) {
        offset, stride, target, targetStride, count in
        copyRow(from: from + offset, stride: stride, to: base + target, stride: targetStride, count: count)
      }
    }
  }
}

// MARK: - Axes

extension MutableTensorView {
  /// The axes in another order; `permuted(0, 2, 1, 3)` swaps the middle two of four.
  ///
  /// - Precondition: every axis is named once.
  public func permuted(_ order: Int...) -> MutableTensorView {
    view(layout.permuted(Shape(order)))
  }

  /// Part of one axis.
  ///
  /// - Precondition: `range` lies within the axis.
  public func sliced(axis: Int, _ range: Range<Int>) -> MutableTensorView {
    view(layout.sliced(axis: axis, range, by: 1))
  }

  /// One index of one axis, which disappears.
  ///
  /// - Precondition: `index` lies within the axis.
  public func selected(axis: Int, _ index: Int) -> MutableTensorView {
    view(layout.selected(axis: axis, index))
  }

  /// `[B, T, H·D] → [B, H, T, D]`: lets a kernel write its heads straight into the layout of a projection.
  ///
  /// - Throws: ``AttentionError`` where the view has not three axes or `heads` does not divide the last.
  public func splitHeads(_ heads: Int) throws(AttentionError) -> MutableTensorView {
    view(try layout.splitHeads(heads))
  }

  /// The view's own layout, counted from ``base``.
  var layout: TensorLayout { TensorLayout(shape: shape, strides: strides) }

  private func view(_ layout: TensorLayout) -> MutableTensorView {
    MutableTensorView(base: base + layout.offset, shape: layout.shape, strides: layout.strides)
  }
}
