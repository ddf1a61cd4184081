extension Tensor {
  /// A row-major tensor whose elements `initialize` writes.
  ///
  /// - Parameters:
  ///   - shape: the lengths of the axes; their product must fit an `Int`.
  ///   - initialize: receives `shape`'s element count of memory, aligned to 64 bytes and not initialised, and must write all of it.
  /// - Throws: what `initialize` throws.
  public init<Failure: Error>(
    unsafeUninitializedShape shape: Shape,
    initializingWith initialize: (UnsafeMutableBufferPointer<Element>) throws(Failure) -> Void
  ) throws(Failure) {
    guard let fresh = Tensor.uninitialized(shape) else {
      // Out of memory is not an input that a caller can mend; Swift's own collections stop here too.
      preconditionFailure("no memory for a tensor of shape \(shape)")
    }
    try initialize(UnsafeMutableBufferPointer(start: fresh.unsafeMutableBase, count: fresh.count))
    self = fresh
  }

  /// A row-major tensor that the caller fills before anything reads it, or nil where the system has no memory for it: for
  /// operators whose result is as large as their input says.
  ///
  /// - Precondition: the byte count fits an `Int`.
  package static func uninitialized(_ shape: Shape) -> Tensor? {
    guard let count = shape.checkedElementCount,
      !count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).overflow
    else {
      preconditionFailure("the element count of shape \(shape) is negative or does not fit an Int")
    }
    guard let memory = TensorMemory(uninitialized: count, of: Element.self) else { return nil }
    return Tensor(memory: memory, layout: TensorLayout(shape: shape, strides: shape.rowMajorStrides))
  }

  /// Gives the memory of the first elements of a row-major tensor back to the system, in large pages: for who needs them no more while the others are
  /// still of use. What they hold afterwards is not known.
  ///
  /// - Precondition: `0 <= count <= self.count`. The tensor is the whole of its memory, and nobody else has any of it.
  package mutating func forget(first count: Int) {
    precondition((0...self.count).contains(count) && isContiguous && offset == 0)
    precondition(isKnownUniquelyReferenced(&memory), "memory that others see")
    memory.forget(bytes: count * MemoryLayout<Element>.stride)
  }

  /// Calls `body` with the address of element `[0, 0, …]`; other elements are at ``strides`` from it.
  ///
  /// The pointer is valid during the call only. An empty tensor gives an address that must not be read.
  @inlinable
  public func withUnsafePointer<Result, Failure: Error>(
    _ body: (UnsafePointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // After inlining, the last use of the memory would be the load of its address: keep it until `body` is done.
    defer { withExtendedLifetime(memory) {} }
    return try body(unsafeBase)
  }

  /// The address of element `[0, 0, …]`, valid while this tensor (or another view of its memory) is alive and unchanged:
  /// whoever keeps it holds the tensor with `withExtendedLifetime`.
  @inlinable
  package var unsafeBase: UnsafePointer<Element> {
    UnsafePointer(unsafeMutableBase)
  }

  /// The same address for writes: only after ``makeUnique()``, or before anyone else can have a reference.
  @inlinable
  var unsafeMutableBase: UnsafeMutablePointer<Element> {
    memory.base.assumingMemoryBound(to: Element.self) + offset
  }

  /// Calls `body` with a view that it may write through; copies first where the memory is shared or may not be written.
  ///
  /// The copy is row-major, so ``strides`` may change; without a copy the strides stay as they are.
  public mutating func withMutableView<Result, Failure: Error>(
    _ body: (MutableTensorView<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    makeUnique()
    defer { withExtendedLifetime(memory) {} }
    return try body(MutableTensorView(base: unsafeMutableBase, shape: shape, strides: strides))
  }

  @usableFromInline
  mutating func makeUnique() {
    let isExclusive = isKnownUniquelyReferenced(&memory) && memory.isWritable
    // A broadcast axis makes one element stand for many: a write through it would change them all.
    var hasRepeats = false
    for axis in 0..<rank where shape[axis] > 1 && strides[axis] == 0 { hasRepeats = true }
    if !isExclusive || hasRepeats { self = contiguousCopy() }
  }
}
