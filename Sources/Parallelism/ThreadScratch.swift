#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Working memory that a thread keeps from call to call, so that a kernel allocates only the first time a thread runs it.
///
/// A thread keeps one block per depth of nesting, each at most ``maximumKeptByteCount``, until it ends.
public enum ThreadScratch {
  /// Larger requests are allocated for the call and freed after it: beside the work that fills 16 MiB an allocation
  /// costs nothing, and a server with many threads must not keep its largest request's memory in each of them.
  public static let maximumKeptByteCount = 16 << 20

  /// Calls `body` with memory of this thread.
  ///
  /// - Parameters:
  ///   - byteCount: how many bytes are needed, at least 0.
  ///   - body: gets `byteCount` bytes, aligned to 64 bytes, not initialised. They hold anything, often what the thread's
  ///     last call left there. They are this call's own until `body` returns, also where `body` asks for scratch again.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws.
  ///
  /// Costs a few nanoseconds when the thread has had a call of this size before; else an allocation, of at least twice
  /// the size that was there.
  public static func withBytes<Result, Failure: Error>(
    _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let result = try withBytesIfAvailable(byteCount, body) else {
      // As with Swift's own collections, there is no way on without memory.
      preconditionFailure("no memory for \(byteCount) bytes of scratch")
    }
    return result
  }

  /// The same for sizes that come from data: nil, with `body` not called, where the system has not so much memory.
  public static func withBytesIfAvailable<Result, Failure: Error>(
    _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    precondition(byteCount >= 0, "the number of bytes must not be negative, and is \(byteCount)")
    if byteCount <= maximumKeptByteCount, let block = ScratchBlock.firstFree() {
      guard let base = block.pointee.memory(byteCount: byteCount) else { return nil }
      block.pointee.isInUse = true
      defer { block.pointee.isInUse = false }
      return try body(UnsafeMutableRawBufferPointer(start: base, count: byteCount))
    }
    guard let base = ScratchBlock.allocate(byteCount: byteCount) else { return nil }
    defer { free(base) }
    return try body(UnsafeMutableRawBufferPointer(start: base, count: byteCount))
  }
}

/// One kept block of a thread; the blocks of deeper nesting hang on it as a list.
///
/// Only its own thread touches it, so nothing here is atomic.
private struct ScratchBlock {
  var isInUse = false
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0
  private var next: UnsafeMutablePointer<ScratchBlock>?

  /// Holds each thread's first block; `nil` where the process has used up its keys, and nothing can be kept.
  private static let key: pthread_key_t? = {
    var key = pthread_key_t()
    let status = pthread_key_create(&key) { first in
      // Called as the thread ends, with its first block.
      var block = first?.assumingMemoryBound(to: ScratchBlock.self)
      while let current = block {
        block = current.pointee.next
        free(current.pointee.base)
        current.deallocate()
      }
    }
    return status == 0 ? key : nil
  }()

  /// This thread's first block that no call is using, made if there is none.
  static func firstFree() -> UnsafeMutablePointer<ScratchBlock>? {
    guard let key else { return nil }
    var last: UnsafeMutablePointer<ScratchBlock>?
    var block = pthread_getspecific(key)?.assumingMemoryBound(to: ScratchBlock.self)
    while let current = block {
      if !current.pointee.isInUse { return current }
      last = current
      block = current.pointee.next
    }
    let new = UnsafeMutablePointer<ScratchBlock>.allocate(capacity: 1)
    new.initialize(to: ScratchBlock())
    if let last {
      last.pointee.next = new
    } else if pthread_setspecific(key, new) != 0 {
      new.deallocate()
      return nil
    }
    return new
  }

  /// The block's memory, grown where it is too small. What it held is not kept.
  mutating func memory(byteCount: Int) -> UnsafeMutableRawPointer? {
    if let base, byteCount <= capacity { return base }
    free(base)
    base = nil
    // Doubling bounds the number of allocations by the logarithm of the largest request; 64 KiB is a typical tile.
    let doubled = min(max(byteCount, 2 * capacity, 64 << 10), ThreadScratch.maximumKeptByteCount)
    base = Self.allocate(byteCount: doubled)
    capacity = base == nil ? 0 : doubled
    return base
  }

  static func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
    var memory: UnsafeMutableRawPointer?
    return posix_memalign(&memory, 64, max(byteCount, 1)) == 0 ? memory : nil
  }
}
