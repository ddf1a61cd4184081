/// A tensor that grows along one axis in place: what a cache of keys or values is made of.
///
///     var keys = GrowableTensor<Float>(emptyShape: [1, 8, 0, 64], growing: 2, capacity: 4096)
///     try keys.append(newKeys)          // [1, 8, 1, 64]
///     try keys.append(1) { row throws(AttentionError) in try row.assign(from: newKeys) }
///     let all = keys.tensor             // [1, 8, 2, 64], no copy; stays as it is whatever is appended later
///
/// A *row* is one index of the growing axis. Value semantics: a copy of the value, and each tensor taken from it, keeps seeing
/// what it saw. Rows are nevertheless appended in place as long as nobody can see the rows that are written: the memory counts the
/// rows that were ever handed out, and an append claims the next ones by an atomic compare-exchange. It copies first where they are taken:
/// - another copy of the value has appended to the same memory, or
/// - ``truncate(to:)`` has dropped rows, and a tensor or another copy of the value still uses the memory.
///
/// Beyond ``capacity``, an append moves all rows to memory of twice the capacity (or of what it needs, where that is more).
/// Memory comes with the first append; the system gives its pages as they are written. Elements beyond ``count`` are not
/// initialised and never read.
public struct GrowableTensor<Element: TensorElement>: Sendable {
  /// The axis that grows.
  public let axis: Int

  /// The rows that were appended.
  public private(set) var count = 0

  /// The rows that fit without a move.
  public private(set) var capacity: Int

  /// The shape with ``count`` rows.
  public var shape: Shape { shape(rows: count) }

  /// The lengths of the other axes; that of the growing axis is not used.
  private let rowShape: Shape

  private var memory = TensorMemory.empty

  /// The rows that ``memory`` has room for: ``capacity``, or 0 before the first append.
  private var allocated = 0

  /// An empty tensor with room for `capacity` rows; allocates nothing yet.
  ///
  /// - Parameters:
  ///   - shape: the lengths of the axes, 0 for the one that grows.
  ///   - axis: the axis that grows.
  ///   - capacity: how many rows are expected, 0 or more.
  /// - Precondition: `axis` is one of the shape's and has length 0, no length is negative, and neither is `capacity`.
  public init(emptyShape shape: Shape, growing axis: Int, capacity: Int) {
    precondition(axis >= 0 && axis < shape.count, "axis \(axis) of \(shape.count) axes")
    precondition(shape[axis] == 0, "a growing axis starts with length 0, not \(shape[axis])")
    precondition(shape.allSatisfy { $0 >= 0 }, "shape \(shape) has a negative length")
    precondition(capacity >= 0, "a capacity of \(capacity) rows")
    self.axis = axis
    self.capacity = capacity
    self.rowShape = shape
  }

  /// The rows so far; a view, no copy and no allocation. Later appends do not change it.
  public var tensor: Tensor<Element> {
    Tensor(memory: memory, layout: layout(rows: 0..<count))
  }

  /// Appends rows that `body` writes, in place where nobody can see them.
  ///
  /// - Parameters:
  ///   - rows: how many.
  ///   - body: receives a view of the new rows, which are not initialised, and must write all of them.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws, and ``AttentionError`` where `rows` is negative or the system has no memory for them. Nothing was
  ///   appended then.
  public mutating func append<R>(
    _ rows: Int, _ body: (MutableTensorView<Element>) throws(AttentionError) -> R
  ) throws(AttentionError) -> R {
    guard rows >= 0 else { throw AttentionError("rows", "\(rows) rows, expected at least 0") }
    let (end, overflows) = count.addingReportingOverflow(rows)
    guard !overflows else {
      throw AttentionError(.outOfMemory, "rows", "\(count) + \(rows) rows do not fit an Int")
    }
    try claim(upTo: end)
    let new = layout(rows: count..<end)
    let base = memory.base.assumingMemoryBound(to: Element.self) + new.offset
    do throws(AttentionError) {
      defer { withExtendedLifetime(memory) {} }
      let result = try body(MutableTensorView(base: base, shape: new.shape, strides: new.strides))
      count = end
      return result
    } catch {
      memory.setHandedOutRows(count)
      throw error
    }
  }

  /// Appends a tensor's rows; one copy of them, in place as ``append(_:_:)``.
  ///
  /// - Parameter rows: any strides; its shape is ``shape`` but for the growing axis.
  /// - Throws: ``AttentionError`` where another axis differs or the system has no memory. Nothing was appended then.
  public mutating func append(_ rows: Tensor<Element>) throws(AttentionError) {
    var expected = rowShape
    if rows.rank == expected.count { expected[axis] = rows.shape[axis] }
    guard rows.shape == expected else {
      throw AttentionError("rows", "shape \(rows.shape), expected \(rowShape) but for axis \(axis)")
    }
    try append(rows.shape[axis]) { view in view.copyElements(of: rows) }
  }

  /// Drops rows at the end; tensors that were taken before keep them. No copy, and no memory is freed.
  ///
  /// - Precondition: `count` is at least 0 and at most ``count``.
  public mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "truncation of \(self.count) rows to \(count)")
    self.count = count
  }
}

// MARK: - Memory

extension GrowableTensor {
  /// Makes the rows from ``count`` to `end` this value's own to write: in place where they are free, else in fresh memory.
  private mutating func claim(upTo end: Int) throws(AttentionError) {
    guard end <= allocated else {
      let (twice, overflows) = capacity.multipliedReportingOverflow(by: 2)
      let grown = overflows ? end : max(twice, end)
      return try move(toCapacity: end <= capacity ? capacity : grown, claiming: end)
    }
    if isKnownUniquelyReferenced(&memory) {
      // No tensor and no other copy of this value can see any row, those included that a truncation dropped.
      memory.setHandedOutRows(end)
    } else if !memory.handOutRows(from: count, to: end) {
      try move(toCapacity: capacity, claiming: end)
    }
  }

  /// Copies the rows to fresh memory, all of whose other rows are free.
  private mutating func move(toCapacity newCapacity: Int, claiming end: Int) throws(AttentionError) {
    let whole = shape(rows: newCapacity)
    guard let elements = whole.checkedElementCount,
      !elements.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).overflow,
      let fresh = TensorMemory(uninitialized: elements, of: Element.self)
    else {
      throw AttentionError(.outOfMemory, "rows", "no memory for \(Element.elementType) of shape \(whole)")
    }
    let old = tensor
    memory = fresh
    (capacity, allocated) = (newCapacity, newCapacity)
    memory.setHandedOutRows(end)
    let kept = layout(rows: 0..<count)
    MutableTensorView(
      base: memory.base.assumingMemoryBound(to: Element.self), shape: kept.shape, strides: kept.strides
    ).copyElements(of: old)
  }

  private func shape(rows: Int) -> Shape {
    var shape = rowShape
    shape[axis] = rows
    return shape
  }

  /// Some of the rows that ``memory`` has room for.
  private func layout(rows: Range<Int>) -> TensorLayout {
    let whole = shape(rows: allocated)
    return TensorLayout(shape: whole, strides: whole.rowMajorStrides).sliced(axis: axis, rows, by: 1)
  }
}
