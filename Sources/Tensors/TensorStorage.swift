#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The memory behind one or more tensors.
///
/// `@unchecked Sendable`: the memory is written only through a ``Tensor`` that holds the one reference to its storage
/// (checked with `isKnownUniquelyReferenced` before each write), and only where ``isWritable``; shared storage is only read.
@usableFromInline
final class TensorStorage<Element: TensorElement>: @unchecked Sendable {
  /// The first element. Aligned to 64 bytes where this class allocated it.
  @usableFromInline let base: UnsafeMutablePointer<Element>

  /// False for memory that someone else owns: a write copies first, whoever holds references.
  let isWritable: Bool

  private let release: (@Sendable () -> Void)?

  /// One cache line, and the width of the widest vector register.
  static var alignment: Int { 64 }

  /// A large page of x86-64 and, with pages of 4 KiB, of arm64.
  private static var largePage: Int { 2 << 20 }

  /// From here on memory starts at a large page and asks for such: reading it in pages of 4 KiB, a core spends its time on translating
  /// addresses and reaches about half the rate of its caches. Below, what rounding up costs would show.
  private static var fewestLargeBytes: Int { 2 << 20 }

  /// Fresh memory, not initialised: the caller writes every element before any is read. Nil where the system has none.
  init?(uninitialized count: Int) {
    let byteCount = Swift.max(count, 1) * MemoryLayout<Element>.stride
    var memory: UnsafeMutableRawPointer?
    let isLarge = byteCount >= Self.fewestLargeBytes
    let status = posix_memalign(&memory, isLarge ? Self.largePage : Self.alignment, byteCount)
    guard status == 0, let memory else { return nil }
    // A wish: where the system has no large pages, small ones do.
    if isLarge { madvise(memory, byteCount, MADV_HUGEPAGE) }
    self.base = memory.bindMemory(to: Element.self, capacity: Swift.max(count, 1))
    self.isWritable = true
    self.release = nil
  }

  /// Memory that someone else owns and that stays unchanged until `release` is called, when the last tensor is gone.
  init(external base: UnsafePointer<Element>, release: @escaping @Sendable () -> Void) {
    // Never written through: `isWritable` is false.
    self.base = UnsafeMutablePointer(mutating: base)
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

/// Copies a row; both strides in elements.
///
/// Elements are plain bits, so a copy depends on their width alone: four loops serve every type, without a generic
/// call per element.
func copyRow<Element: TensorElement>(
  from source: UnsafePointer<Element>, stride sourceStride: Int,
  to target: UnsafeMutablePointer<Element>, stride targetStride: Int, count: Int
) {
  if sourceStride == 1 && targetStride == 1 { return target.update(from: source, count: count) }
  func copy<Bits>(_ bits: Bits.Type) {
    let source = UnsafeRawPointer(source).assumingMemoryBound(to: bits)
    let target = UnsafeMutableRawPointer(target).assumingMemoryBound(to: bits)
    for index in 0..<count { target[index * targetStride] = source[index * sourceStride] }
  }
  switch MemoryLayout<Element>.size {
  case 1: copy(UInt8.self)
  case 2: copy(UInt16.self)
  case 4: copy(UInt32.self)
  default: copy(UInt64.self)
  }
}
