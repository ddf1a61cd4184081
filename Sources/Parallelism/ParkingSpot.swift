internal import CParallelism
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where one thread waits for a condition that other threads make true: it spins for a while, then sleeps in the kernel.
///
/// The word is 1 while the thread sleeps or is about to, else 0.
///
/// No wake-up is lost. The waiter stores 1, then reads the condition; the waker makes the condition true, then reads the
/// word. All four accesses are sequentially consistent, so they have one order, and in any order at least one of the
/// two reads sees the other thread's write: either the waiter sees the condition and does not sleep, or the waker sees
/// the 1 and wakes it. Between the waiter's last look and its sleep the kernel compares the word with 1 once more.
struct ParkingSpot {
  let word: UnsafeMutablePointer<Atomic<UInt32>>

  /// Returns when `condition` holds, after at most `spinNanoseconds` of spinning.
  ///
  /// `condition` reads with sequentially consistent loads. One thread at a time waits at a spot.
  func wait(spinNanoseconds: UInt64, until condition: () -> Bool) {
    if Self.spin(nanoseconds: spinNanoseconds, until: condition) { return }
    while !condition() {
      word.pointee.store(1, ordering: .sequentiallyConsistent)
      if condition() { break }
      CParallelism_futexWait(word, 1)
    }
    // Relaxed: a waker that still reads the 1 makes one needless system call, no more.
    word.pointee.store(0, ordering: .relaxed)
  }

  /// Wakes the thread that sleeps here, if one does. The caller has already made that thread's condition true, with a
  /// sequentially consistent write.
  func wake() {
    // The load first: it leaves the cache line shared when nobody sleeps, which is the common case.
    guard word.pointee.load(ordering: .sequentiallyConsistent) == 1 else { return }
    // Of several wakers one makes the system call.
    if word.pointee.exchange(0, ordering: .sequentiallyConsistent) == 1 {
      CParallelism_futexWakeOne(word)
    }
  }

  /// Whether `condition` came true within `nanoseconds`.
  static func spin(nanoseconds: UInt64, until condition: () -> Bool) -> Bool {
    if condition() { return true }
    guard nanoseconds > 0 else { return false }
    let deadline = monotonicNanoseconds() + nanoseconds
    repeat {
      // One pause takes 10 to 50 ns, by CPU; 32 of them keep the clock's 25 ns small beside them.
      for _ in 0..<32 {
        CParallelism_spinPause()
        if condition() { return true }
      }
    } while monotonicNanoseconds() < deadline
    return false
  }
}

/// The time since some fixed moment, in nanoseconds, that no clock change moves.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
