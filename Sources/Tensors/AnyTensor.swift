/// A tensor whose element type is known when the program runs: what a cache, a file or a caller in C hands out.
///
///     let keys: AnyTensor = ...
///     switch keys.elementType { ... }
///     if let floats = keys.tensor(as: Float.self) { ... }
///
/// It shares memory with the ``Tensor`` that it was made from. Making one, a view of one, and a tensor from it copies nothing and
/// allocates nothing.
public struct AnyTensor: Sendable {
  /// The type of the elements.
  public let elementType: ElementType

  /// The length of each axis.
  public let shape: Shape

  /// The distance in elements between neighbours along each axis.
  public let strides: Strides

  private let memory: TensorMemory

  /// The place of element `[0, 0, …]` in the memory, in elements.
  private let offset: Int

  /// The tensor without its type; shares its memory.
  public init<E>(_ tensor: Tensor<E>) {
    self.init(E.elementType, tensor.memory, tensor.layout)
  }

  private init(_ elementType: ElementType, _ memory: TensorMemory, _ layout: TensorLayout) {
    self.elementType = elementType
    self.memory = memory
    self.shape = layout.shape
    self.strides = layout.strides
    self.offset = layout.offset
  }

  /// The tensor with its type, or nil where its elements are of another; shares its memory.
  public func tensor<E: TensorElement>(as type: E.Type) -> Tensor<E>? {
    E.elementType == elementType ? Tensor(memory: memory, layout: layout) : nil
  }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements that the shape describes (broadcast ones counted each time they appear).
  public var count: Int { layout.count }

  /// The address of element `[0, 0, …]`, valid while this tensor (or another view of its memory) is alive and unchanged:
  /// whoever keeps it holds the tensor with `withExtendedLifetime`.
  package var unsafeBase: UnsafeRawPointer {
    UnsafeRawPointer(memory.base + offset * elementType.byteCount)
  }

  private var layout: TensorLayout { TensorLayout(shape: shape, strides: strides, offset: offset) }

  private func view(_ layout: TensorLayout) -> AnyTensor {
    AnyTensor(elementType, memory, layout)
  }
}

// MARK: - Views

extension AnyTensor {
  /// The axes in another order; `permuted(0, 2, 1, 3)` swaps the middle two of four.
  ///
  /// - Precondition: every axis is named once.
  @inlinable
  public func permuted(_ order: Int...) -> AnyTensor {
    permuted(Shape(order))
  }

  @usableFromInline
  func permuted(_ order: Shape) -> AnyTensor {
    view(layout.permuted(order))
  }

  /// Part of one axis: every `step`-th index of `range`.
  ///
  /// - Precondition: `range` lies within the axis; `step` is at least 1.
  public func sliced(axis: Int, _ range: Range<Int>, by step: Int = 1) -> AnyTensor {
    view(layout.sliced(axis: axis, range, by: step))
  }

  /// One index of one axis, which disappears.
  ///
  /// - Precondition: `index` lies within the axis.
  public func selected(axis: Int, _ index: Int) -> AnyTensor {
    view(layout.selected(axis: axis, index))
  }

  /// A new axis of length 1 before `axis`.
  ///
  /// - Precondition: `axis` is at most ``rank``, and the rank below ``AxisValues/maximumRank``.
  public func expanded(axis: Int) -> AnyTensor {
    view(layout.expanded(axis: axis))
  }

  /// The tensor seen with a larger shape: axes of length 1 repeat, and new axes appear in front, as NumPy broadcasts.
  ///
  /// - Throws: ``AttentionError`` where an axis is neither 1 nor as long as asked for.
  public func broadcast(to target: Shape) throws(AttentionError) -> AnyTensor {
    view(try layout.broadcast(to: target))
  }
}

extension AnyTensor: CustomStringConvertible {
  /// The type and shape on one line, the elements below, as ``Tensor/debugDescription``.
  public var description: String {
    func text<E: TensorElement>(_ type: E.Type) -> String {
      Tensor<E>(memory: memory, layout: layout).debugDescription
    }
    return text(elementType.swiftType)
  }
}
