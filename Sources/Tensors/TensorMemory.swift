import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The memory behind one or more tensors, whatever the type of their elements.
///
/// `@unchecked Sendable`: what several can see is only read. Memory is written only where ``isWritable``, and there
/// * through a ``Tensor`` or ``GrowableTensor`` that holds the one reference to it (checked with `isKnownUniquelyReferenced`
///   before each write), or
/// * by a ``GrowableTensor`` in rows that no tensor was ever made of, after it claimed them with ``handOutRows(from:to:)``.
@usableFromInline
final class TensorMemory: @unchecked Sendable {
  /// The first byte. Aligned to 64 bytes where this class allocated it.
  @usableFromInline let base: UnsafeMutableRawPointer

  /// False for memory that nobody may write to: a write copies first, whoever holds references.
  let isWritable: Bool

  /// What keeps the memory of someone else valid.
  private let owner: (any Sendable)?

  /// Whether this object allocated the memory, and frees it.
  private let isAllocated: Bool

  /// How many rows some ``GrowableTensor`` has claimed: no tensor sees more.
  private let handedOutRows = Atomic<Int>(0)

  /// Memory without elements, for tensors that have none yet. Never the only reference, so never written.
  static let empty = TensorMemory(
    external: UnsafeMutableRawPointer(bitPattern: alignment)!, isWritable: false, owner: nil)

  /// One cache line, and the width of the widest vector register.
  private static var alignment: Int { 64 }

  /// A large page of x86-64 and, with pages of 4 KiB, of arm64.
  private static var largePage: Int { 2 << 20 }

  /// From here on memory starts at a large page and asks for such: reading it in pages of 4 KiB, a core spends its time on translating
  /// addresses and reaches about half the rate of its caches. Below, what rounding up costs would show.
  private static var fewestLargeBytes: Int { 2 << 20 }

  /// Fresh memory, not initialised: the caller writes every element before any is read. Nil where the system has none.
  init?<Element: TensorElement>(uninitialized count: Int, of type: Element.Type) {
    let byteCount = Swift.max(count, 1) * MemoryLayout<Element>.stride
    var memory: UnsafeMutableRawPointer?
    let isLarge = byteCount >= Self.fewestLargeBytes
    let status = posix_memalign(&memory, isLarge ? Self.largePage : Self.alignment, byteCount)
    guard status == 0, let memory else { return nil }
    // A wish: where the system has no large pages, small ones do.
    if isLarge { madvise(memory, byteCount, MADV_HUGEPAGE) }
    memory.bindMemory(to: type, capacity: Swift.max(count, 1))
    self.base = memory
    self.isWritable = true
    self.owner = nil
    self.isAllocated = true
  }

  /// Memory of someone else, who keeps it valid at least as long as `owner`, or this object where there is none, is alive.
  init(external base: UnsafeMutableRawPointer, isWritable: Bool, owner: (any Sendable)?) {
    self.base = base
    self.isWritable = isWritable
    self.owner = owner
    self.isAllocated = false
  }

  deinit {
    if isAllocated { free(base) }
  }

  /// Gives the pages of the first bytes back to the system, as far as they are whole large pages. What they held is lost.
  ///
  /// Memory of someone else stays as it is.
  func forget(bytes: Int) {
    if isAllocated { madvise(base, bytes / Self.largePage * Self.largePage, MADV_DONTNEED) }
  }
}

// MARK: - Rows

extension TensorMemory {
  /// Claims the rows from `count` to `end` for the caller, the only one to write them from then on; false where some of them
  /// were claimed before.
  ///
  /// Acquires what the last claimant wrote before it gave rows back, so that its writes come before those of the caller.
  func handOutRows(from count: Int, to end: Int) -> Bool {
    handedOutRows.compareExchange(expected: count, desired: end, ordering: .acquiring).exchanged
  }

  /// Sets the number of claimed rows: by the holder of the only reference, or to give back what it has just claimed.
  func setHandedOutRows(_ count: Int) {
    handedOutRows.store(count, ordering: .releasing)
  }
}
