/// A tensor as kernels see it: an address, a kind of number and four strides. It does not keep its memory alive; the
/// entry functions do, for as long as a problem is worked on.
struct StridedOperand {
  /// The element at index `[0, 0, 0, 0]`.
  let base: UnsafeRawPointer
  let elementType: ElementType
  /// In bytes, for batch, head, row and column.
  let byteStrides: (batch: Int, head: Int, row: Int, column: Int)

  init<Element>(_ tensor: Tensor<Element>) {
    self.init(base: UnsafeRawPointer(tensor.unsafeBase), Element.elementType, tensor.strides)
  }

  init<Element>(_ view: MutableTensorView<Element>) {
    self.init(base: UnsafeRawPointer(view.base), Element.elementType, view.strides)
  }

  private init(base: UnsafeRawPointer, _ elementType: ElementType, _ strides: Strides) {
    self.base = base
    self.elementType = elementType
    // Wrapping: the stride of an axis with at most one index may be anything and is never used.
    let size = elementType.byteCount
    self.byteStrides = (strides[0] &* size, strides[1] &* size, strides[2] &* size, strides[3] &* size)
  }

  /// The distance in elements between neighbours of a row.
  var columnStride: Int { byteStrides.column / elementType.byteCount }

  /// The distance in bytes from the first element to that of a row.
  func byteOffset(_ batch: Int, _ head: Int, _ row: Int) -> Int {
    batch &* byteStrides.batch &+ head &* byteStrides.head &+ row &* byteStrides.row
  }

  /// The address of the first element of a row.
  func row(_ batch: Int, _ head: Int, _ row: Int) -> UnsafeRawPointer {
    base + byteOffset(batch, head, row)
  }

  /// The same rows under other strides: what packed tensors need, whose sequences share their rows' axis.
  init(
    _ base: UnsafeRawPointer, _ elementType: ElementType, head: Int, row: Int, column: Int
  ) {
    self.base = base
    self.elementType = elementType
    let size = elementType.byteCount
    self.byteStrides = (0, head &* size, row &* size, column &* size)
  }
}

extension Tensor {
  /// The tensor under the shape of an operand with four axes.
  func operand(broadcastTo shape: Shape) throws(TensorError) -> StridedOperand {
    StridedOperand(try broadcast(to: shape))
  }
}
