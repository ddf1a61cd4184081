/// A tensor `[B, H, T, D]` whose rows are turned, as the kernels see it: it does not keep its memory alive.
struct RotaryOperand {
  /// The element at index `[0, 0, 0, 0]`. Written through only where it came from a view that may be.
  let base: UnsafeMutableRawPointer
  let type: StorageType
  let shape: Shape
  /// In elements.
  let strides: Strides

  init<Element: AttentionElement>(_ tensor: Tensor<Element>) {
    base = UnsafeMutableRawPointer(mutating: tensor.unsafeBase)
    type = StorageType(Element.self)
    shape = tensor.shape
    strides = tensor.strides
  }

  init<Element: AttentionElement>(_ view: MutableTensorView<Element>) {
    base = UnsafeMutableRawPointer(view.base)
    type = StorageType(Element.self)
    shape = view.shape
    strides = view.strides
  }

  /// In bytes. Wrapping: the stride of an axis with at most one index may be anything and is never used.
  func byteStride(_ axis: Int) -> Int { strides[axis] &* type.byteCount }

  /// The address of a row.
  func row(_ sequence: Int, _ head: Int, _ token: Int) -> UnsafeMutableRawPointer {
    base + (sequence &* byteStride(0) &+ head &* byteStride(1) &+ token &* byteStride(2))
  }

  /// Whether two elements might share a place.
  var mayOverlap: Bool { Attention.mayOverlap(shape, strides) }

  /// Throws where two elements might share a place: threads would write over each other.
  func checkDistinct(named argument: String) throws(AttentionError) {
    try Attention.checkDistinct(shape, strides, named: argument)
  }
}

/// A table as the kernels see it; its tensors keep their memory alive as long as this does.
struct RotaryTableOperand {
  let cosines: UnsafeRawPointer
  let sines: UnsafeRawPointer
  let cosineStride: Int
  let sineStride: Int
  let scalarByteCount: Int
  private let owner: any Sendable

  init<Scalar>(_ table: RotaryTable<Scalar>) {
    cosines = UnsafeRawPointer(table.cosines.unsafeBase)
    sines = UnsafeRawPointer(table.sines.unsafeBase)
    cosineStride = table.cosines.strides[0]
    sineStride = table.sines.strides[0]
    scalarByteCount = Scalar.elementType.byteCount
    owner = table
  }
}
