/// An n-dimensional array of numbers with value semantics.
///
/// A tensor is a window onto storage: a shape, a stride per axis and an offset. Views (``permuted(_:)``,
/// ``sliced(axis:_:by:)``, ``broadcast(to:)``, ``splitHeads(_:)`` …) share storage and copy nothing; a write copies first
/// when storage is shared (copy-on-write), so no tensor ever sees another's changes. Fresh storage is row-major and aligned to 64 bytes.
/// Tensors are `Sendable`: reading one from many threads is safe.
public struct Tensor<Element: TensorElement>: Sendable {
  /// The length of each axis.
  public let shape: Shape

  /// The distance in elements between neighbours along each axis.
  public let strides: Strides

  @usableFromInline var storage: TensorStorage<Element>
  @usableFromInline let offset: Int

  init(storage: TensorStorage<Element>, shape: Shape, strides: Strides, offset: Int) {
    self.storage = storage
    self.shape = shape
    self.strides = strides
    self.offset = offset
  }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements that the shape describes (broadcast ones counted each time they appear).
  public var count: Int {
    var product = 1
    for length in shape { product *= length }
    return product
  }

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

// MARK: - Memory

extension Tensor {
  /// A row-major tensor whose elements `initialize` writes.
  ///
  /// - Parameters:
  ///   - shape: the lengths of the axes; their product must fit an `Int`.
  ///   - initialize: receives `shape`'s element count of memory, aligned to 64 bytes and not initialised, and must write all of it.
  /// - Throws: what `initialize` throws.
  public init(
    unsafeUninitializedShape shape: Shape,
    initializingWith initialize: (UnsafeMutableBufferPointer<Element>) throws -> Void
  ) rethrows {
    guard let count = shape.checkedElementCount,
      !count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).overflow
    else {
      preconditionFailure("the element count of shape \(shape) is negative or does not fit an Int")
    }
    guard let storage = TensorStorage<Element>(uninitialized: count) else {
      // Out of memory is not an input that a caller can mend; Swift's own collections stop here too.
      preconditionFailure("no memory for a tensor of shape \(shape)")
    }
    try initialize(UnsafeMutableBufferPointer(start: storage.base, count: count))
    self.init(storage: storage, shape: shape, strides: shape.rowMajorStrides, offset: 0)
  }

  /// A row-major tensor that the caller fills before anything reads it, or nil where the system has no memory for it: for
  /// operators whose result is as large as their input says.
  ///
  /// - Precondition: the byte count fits an `Int`.
  package static func uninitialized(_ shape: Shape) -> Tensor? {
    guard let count = shape.checkedElementCount else {
      preconditionFailure("the element count of shape \(shape) is negative or does not fit an Int")
    }
    guard let storage = TensorStorage<Element>(uninitialized: count) else { return nil }
    return Tensor(storage: storage, shape: shape, strides: shape.rowMajorStrides, offset: 0)
  }

  /// Wraps memory that someone else owns, without a copy.
  ///
  /// The memory must stay valid and unchanged until `release` runs; the tensor never writes to it (the first write copies).
  /// - Parameters:
  ///   - base: the element at index `[0, 0, …]`, aligned as `Element` asks.
  ///   - shape: the lengths of the axes.
  ///   - strides: in elements, from `base`; row-major when nil. Negative and zero strides are fine.
  ///   - release: called once, when no tensor uses the memory any more, on whatever thread that happens; not called
  ///     where this initializer throws.
  /// - Throws: ``TensorError`` where the element count overflows or the strides and the shape differ in rank.
  public init(
    unsafeExternal base: UnsafePointer<Element>,
    shape: Shape,
    strides: Strides? = nil,
    release: @escaping @Sendable () -> Void
  ) throws {
    guard shape.checkedElementCount != nil else {
      throw TensorError(
        "Tensor(unsafeExternal:)", "the element count of shape \(shape) is negative or does not fit an Int")
    }
    guard strides == nil || strides?.count == shape.count else {
      throw TensorError(
        "Tensor(unsafeExternal:)",
        "\(strides?.count ?? 0) strides for shape \(shape), expected \(shape.count)")
    }
    let storage = TensorStorage(external: base, release: release)
    self.init(storage: storage, shape: shape, strides: strides ?? shape.rowMajorStrides, offset: 0)
  }

  /// Calls `body` with the address of element `[0, 0, …]`; other elements are at ``strides`` from it.
  ///
  /// The pointer is valid during the call only. An empty tensor gives an address that must not be read.
  @inlinable
  public func withUnsafePointer<Result, Failure: Error>(
    _ body: (UnsafePointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // After inlining, the last use of the storage would be the load of its address: keep it until `body` is done.
    defer { withExtendedLifetime(storage) {} }
    return try body(unsafeBase)
  }

  /// The address of element `[0, 0, …]`, valid while this tensor (or another view of its storage) is alive and unchanged:
  /// whoever keeps it holds the tensor with `withExtendedLifetime`.
  @inlinable
  package var unsafeBase: UnsafePointer<Element> {
    UnsafePointer(storage.base + offset)
  }

  /// Calls `body` with a view that it may write through; copies first where the storage is shared or external.
  ///
  /// The copy is row-major, so ``strides`` may change; where storage is not shared the strides stay as they are.
  public mutating func withMutableView<Result, Failure: Error>(
    _ body: (MutableTensorView<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    makeUnique()
    defer { withExtendedLifetime(storage) {} }
    return try body(
      MutableTensorView(base: storage.base + offset, shape: shape, strides: strides))
  }

  @usableFromInline
  mutating func makeUnique() {
    let isExclusive = isKnownUniquelyReferenced(&storage) && storage.isWritable
    // A broadcast axis makes one element stand for many: a write through it would change them all.
    var hasRepeats = false
    for axis in 0..<rank where shape[axis] > 1 && strides[axis] == 0 { hasRepeats = true }
    if !isExclusive || hasRepeats { self = contiguousCopy() }
  }
}

// MARK: - Elements

extension Tensor {
  /// The element at an index per axis.
  ///
  /// - Precondition: one index per axis, each within its axis.
  @inlinable
  public subscript(indices: Int...) -> Element {
    get {
      defer { withExtendedLifetime(storage) {} }
      return storage.base[offset + elementOffset(of: indices, shape: shape, strides: strides)]
    }
    set {
      makeUnique()
      storage.base[offset + elementOffset(of: indices, shape: shape, strides: strides)] = newValue
    }
  }

  /// All elements in row-major order; one copy.
  public var elements: [Element] {
    [Element](unsafeUninitializedCapacity: count) { buffer, written in
      copyElements(to: buffer)
      written = count
    }
  }

  /// The same elements in fresh row-major storage.
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
    defer { withExtendedLifetime(storage) {} }
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
