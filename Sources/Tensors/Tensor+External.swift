// Memory of others, which a tensor reads, or reads and writes, without a copy.

extension Tensor {
  /// A tensor that reads memory of someone else; no copy.
  ///
  /// The memory must stay valid and unchanged for as long as `owner` is alive, which is at least as long as some tensor or view
  /// uses it. The tensor never writes to it: the first write copies.
  ///
  ///     let keys = try Tensor(unsafeExternal: base, shape: [1, 8, 128, 64], owner: file)
  ///
  /// - Parameters:
  ///   - base: the element at index `[0, 0, …]`, aligned as `Element` asks.
  ///   - shape: the lengths of the axes.
  ///   - strides: in elements, from `base`; row-major when nil. Negative and zero strides are fine.
  ///   - owner: what keeps the memory valid, such as the object that frees it in its `deinit`, or a ``MemoryOwner``. Released when
  ///     no tensor uses the memory any more, on whatever thread that happens.
  /// - Throws: ``AttentionError`` where the element count overflows, strides and shape differ in rank, or `base` is not aligned.
  public init(
    unsafeExternal base: UnsafePointer<Element>, shape: Shape, strides: Strides? = nil,
    owner: some Sendable
  ) throws(AttentionError) {
    // Never written through: the memory is not writable.
    let base = UnsafeMutablePointer(mutating: base)
    let layout = try externalLayout(base, shape, strides)
    self.init(memory: TensorMemory(external: base, isWritable: false, owner: owner), layout: layout)
  }

  /// A tensor that reads and writes memory of someone else; no copy.
  ///
  /// As the one that reads, but that ``withMutableView(_:)`` and element writes of the only tensor over the memory change it in
  /// place. Where another tensor or view shares the memory, a write copies first, as always, and the memory keeps what it held.
  /// Whoever owns the memory must not touch it while a tensor uses it.
  /// - Parameters:
  ///   - base: the element at index `[0, 0, …]`, aligned as `Element` asks.
  ///   - shape: the lengths of the axes.
  ///   - strides: in elements, from `base`; row-major when nil. Negative strides are fine.
  ///   - owner: what keeps the memory valid; released when no tensor uses the memory any more.
  /// - Throws: ``AttentionError`` where the element count overflows, strides and shape differ in rank, two indices may share an
  ///   element, or `base` is not aligned.
  public init(
    unsafeMutableExternal base: UnsafeMutablePointer<Element>, shape: Shape, strides: Strides? = nil,
    owner: some Sendable
  ) throws(AttentionError) {
    let layout = try externalLayout(base, shape, strides)
    guard !layout.mayOverlap else {
      throw AttentionError(
        "strides", "\(layout.strides) for shape \(shape) let indices share elements, expected none twice")
    }
    self.init(memory: TensorMemory(external: base, isWritable: true, owner: owner), layout: layout)
  }
}

/// The layout of memory that someone else describes, checked.
func externalLayout<Element: TensorElement>(
  _ base: UnsafeMutablePointer<Element>, _ shape: Shape, _ strides: Strides?
) throws(AttentionError) -> TensorLayout {
  guard shape.checkedElementCount != nil else {
    throw AttentionError("shape", "the element count of shape \(shape) is negative or does not fit an Int")
  }
  let strides = strides ?? shape.rowMajorStrides
  guard strides.count == shape.count else {
    throw AttentionError("strides", "\(strides.count) strides for shape \(shape), expected \(shape.count)")
  }
  guard UInt(bitPattern: base).isMultiple(of: UInt(MemoryLayout<Element>.alignment)) else {
    throw AttentionError(
      "base",
      "the address \(base) is not a multiple of \(MemoryLayout<Element>.alignment), as \(Element.elementType) asks"
    )
  }
  return TensorLayout(shape: shape, strides: strides)
}

/// Runs a closure when the last reference to it is gone: for memory whose owner is not a Swift object.
///
///     let owner = MemoryOwner { free(base) }
///     let tensor = try Tensor(unsafeExternal: base, shape: [128, 64], owner: owner)
public final class MemoryOwner: Sendable {
  private let release: @Sendable () -> Void

  /// An owner whose end runs `release`, once, on whatever thread drops the last reference.
  public init(release: @escaping @Sendable () -> Void) {
    self.release = release
  }

  deinit { release() }
}
