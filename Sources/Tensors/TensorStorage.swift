#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The memory behind one or more tensors.
///
/// `@unchecked Sendable`: the memory is written only through a ``Tensor`` that holds the one reference to its storage
/// (checked with `isKnownUniquelyReferenced` before each write), and only where ``isWritable``; shared storage is only read.
final class TensorStorage<Element: TensorElement>: @unchecked Sendable {
  /// The first element. Aligned to 64 bytes where this class allocated it.
  let base: UnsafeMutablePointer<Element>

  /// How many elements may be read from ``base`` on.
  let count: Int

  /// False for memory that someone else owns: a write copies first, whoever holds references.
  let isWritable: Bool

  private let release: (@Sendable () -> Void)?

  /// One cache line, and the width of the widest vector register.
  static var alignment: Int { 64 }

  /// Fresh memory, not initialised: the caller writes every element before any is read.
  init(uninitialized count: Int) {
    let byteCount = Swift.max(count, 1) * MemoryLayout<Element>.stride
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, Self.alignment, byteCount)
    guard status == 0, let memory else {
      // Out of memory is not an input that a caller can mend; Swift's own collections stop here too.
      preconditionFailure("no memory for a tensor of \(byteCount) bytes")
    }
    self.base = memory.bindMemory(to: Element.self, capacity: Swift.max(count, 1))
    self.count = count
    self.isWritable = true
    self.release = nil
  }

  /// Memory that someone else owns and that stays unchanged until `release` is called, when the last tensor is gone.
  init(external base: UnsafePointer<Element>, count: Int, release: @escaping @Sendable () -> Void) {
    // Never written through: `isWritable` is false.
    self.base = UnsafeMutablePointer(mutating: base)
    self.count = count
    self.isWritable = false
    self.release = release
  }

  deinit {
    if let release {
      release()
    } else {
      free(base)
    }
  }
}
