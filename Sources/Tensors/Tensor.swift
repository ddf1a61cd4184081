/// An n-dimensional array of numbers with value semantics.
///
/// A tensor is a window onto memory: a shape, a stride per axis and an offset. Views (``permuted(_:)``,
/// ``sliced(axis:_:by:)``, ``broadcast(to:)``, ``splitHeads(_:)`` …) share memory and copy nothing; a write copies first
/// when memory is shared (copy-on-write), so no tensor ever sees another's changes. Fresh memory is row-major and aligned to 64 bytes.
/// Tensors are `Sendable`: reading one from many threads is safe.
public struct Tensor<Element: TensorElement>: Sendable {
  /// The length of each axis.
  public let shape: Shape

  /// The distance in elements between neighbours along each axis.
  public let strides: Strides

  @usableFromInline var memory: TensorMemory

  /// The place of element `[0, 0, …]` in ``memory``, in elements.
  @usableFromInline let offset: Int

  init(memory: TensorMemory, layout: TensorLayout) {
    self.memory = memory
    self.shape = layout.shape
    self.strides = layout.strides
    self.offset = layout.offset
  }

  /// Where the elements lie in ``memory``; a view is the same memory under another layout.
  var layout: TensorLayout { TensorLayout(shape: shape, strides: strides, offset: offset) }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements that the shape describes (broadcast ones counted each time they appear).
  public var count: Int { layout.count }

  /// Whether some axis has length 0.
  public var isEmpty: Bool { shape.contains(0) }

  /// Whether elements stand one after the other in row-major order.
  public var isContiguous: Bool {
    if isEmpty { return true }
    var expected = 1
    for axis in Swift.stride(from: rank - 1, through: 0, by: -1) {
      if shape[axis] != 1 && strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }
}
