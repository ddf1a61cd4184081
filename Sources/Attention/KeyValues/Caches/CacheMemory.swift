#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The memory of a pool: mapped, and resident only where it was written, or the caller's.
///
/// `@unchecked Sendable`: the address never changes. Which thread may write which bytes is for the pool's ledger to say: a row is
/// written by the one step that claimed it, and read by views whose steps have it behind them.
final class CacheMemory: @unchecked Sendable {
  /// What a part of the memory begins at a multiple of: a cache line, and the widest vector register.
  static let alignment = 64

  let base: UnsafeMutableRawPointer
  private let mappedBytes: Int
  private let owner: (any Sendable)?

  /// From this many bytes of one layer's keys on, memory is asked for in large pages (2 MiB): reading it in small ones, a core spends its
  /// time on translating addresses. Below, what rounding up to large ones adds to a pool that is partly filled would show.
  private static let fewestLargeBytes = 8 << 20

  /// Fresh memory, all zeros; nil where the system has none. Bytes become resident when they are written.
  init?(byteCount: Int, layerBytes: Int) {
    let mapped = mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_NORESERVE), -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return nil }
    // Wishes: where the system has no large pages, small ones do.
    madvise(mapped, byteCount, layerBytes >= Self.fewestLargeBytes ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
    base = mapped
    mappedBytes = byteCount
    owner = nil
  }

  /// Memory that stays valid as long as `owner` lives.
  init(external base: UnsafeMutableRawPointer, owner: any Sendable) {
    self.base = base
    self.owner = owner
    mappedBytes = 0
  }

  deinit {
    if mappedBytes > 0 { munmap(base, mappedBytes) }
  }

  /// Bytes of the mapping that are in memory, in whole pages of the system.
  var residentBytes: Int {
    let size = sysconf(Int32(_SC_PAGESIZE))
    var states = [UInt8](repeating: 0, count: (mappedBytes + size - 1) / size)
    guard mappedBytes > 0, mincore(base, mappedBytes, &states) == 0 else { return 0 }
    return states.count { $0 & 1 != 0 } * size
  }
}
