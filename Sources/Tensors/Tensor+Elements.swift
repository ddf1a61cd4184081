extension Tensor {
  /// The element at an index per axis.
  ///
  /// - Precondition: one index per axis, each within its axis.
  @inlinable
  public subscript(indices: Int...) -> Element {
    get {
      defer { withExtendedLifetime(memory) {} }
      return unsafeBase[elementOffset(of: indices, shape: shape, strides: strides)]
    }
    set {
      makeUnique()
      unsafeMutableBase[elementOffset(of: indices, shape: shape, strides: strides)] = newValue
    }
  }

  /// All elements in row-major order; one copy.
  public var elements: [Element] {
    [Element](unsafeUninitializedCapacity: count) { buffer, written in
      copyElements(to: buffer)
      written = count
    }
  }

  /// The same elements in fresh row-major memory.
  public func contiguousCopy() -> Tensor {
    Tensor(unsafeUninitializedShape: shape) { copyElements(to: $0) }
  }

  /// The tensor itself where it is row-major already, else a copy that is.
  public func contiguous() -> Tensor {
    isContiguous ? self : contiguousCopy()
  }

  private func copyElements(to target: UnsafeMutableBufferPointer<Element>) {
    guard let base = target.baseAddress else { return }
    MutableTensorView(base: base, shape: shape).copyElements(of: self)
  }

  /// Visits the rows (runs along the last axis) in row-major order: `body(first element, length, stride)`.
  @inlinable
  public func forEachRow(_ body: (UnsafePointer<Element>, Int, Int) -> Void) {
    defer { withExtendedLifetime(memory) {} }
    unsafeForEachRow(unsafeBase, shape: shape, strides: strides, body)
  }
}

/// Visits the rows of strided memory in row-major order; a shape without axes is one row of one element.
@inlinable
func unsafeForEachRow<Element>(
  _ base: UnsafePointer<Element>, shape: Shape, strides: Strides,
  _ body: (UnsafePointer<Element>, Int, Int) -> Void
) {
  if shape.contains(0) { return }
  guard let length = shape.last, let step = strides.last else { return body(base, 1, 1) }
  let outer = shape.count - 1
  var index = Shape(repeating: 0, count: outer)
  var row = base
  while true {
    body(row, length, step)
    var axis = outer - 1
    while axis >= 0 {
      index[axis] += 1
      row += strides[axis]
      if index[axis] < shape[axis] { break }
      row -= strides[axis] * shape[axis]
      index[axis] = 0
      axis -= 1
    }
    if axis < 0 { return }
  }
}

/// How far from element `[0, 0, …]` the element at an index per axis is.
@inlinable
func elementOffset(of indices: [Int], shape: Shape, strides: Strides) -> Int {
  precondition(indices.count == shape.count, "\(indices.count) indices for a tensor of \(shape.count) axes")
  var offset = 0
  for axis in 0..<shape.count {
    precondition(
      indices[axis] >= 0 && indices[axis] < shape[axis],
      "index \(indices[axis]) on axis \(axis) of length \(shape[axis])")
    offset += indices[axis] * strides[axis]
  }
  return offset
}
