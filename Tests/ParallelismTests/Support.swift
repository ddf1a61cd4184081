import Foundation
import Synchronization

/// Counters that several threads may increment.
///
/// `@unchecked Sendable`: the memory holds atomics only, and the pointer to it does not change.
final class Counters: @unchecked Sendable {
  private let counts: UnsafeMutablePointer<Atomic<Int>>
  private let count: Int

  init(_ count: Int) {
    self.count = count
    counts = .allocate(capacity: count)
    for index in 0..<count { (counts + index).initialize(to: Atomic(0)) }
  }

  deinit { counts.deallocate() }

  subscript(index: Int) -> Int { counts[index].load(ordering: .relaxed) }

  func increment(_ index: Int) {
    precondition((0..<count).contains(index), "index \(index) of \(count)")
    counts[index].wrappingAdd(1, ordering: .relaxed)
  }

  func reset() {
    for index in 0..<count { counts[index].store(0, ordering: .relaxed) }
  }
}

/// A value behind a lock.
///
/// Not `Mutex`, whose lock lies in a library that the thread sanitizer does not see into: it reports races that are none.
/// `@unchecked Sendable`: the value is touched only while the lock is held.
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    lock.withLock { body(&value) }
  }
}

/// A number that no two living threads share.
func threadIdentifier() -> UInt { UInt(pthread_self()) }

/// How many threads the process has.
func processThreadCount() -> Int {
  ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []).count
}

/// Calls `body(0)`, …, `body(count − 1)`, each on a new thread of Foundation's, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let group = DispatchGroup()
  for index in 0..<count {
    group.enter()
    Thread {
      body(index)
      group.leave()
    }.start()
  }
  group.wait()
}
