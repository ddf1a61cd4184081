import Foundation
import Parallelism
import Synchronization

/// Counters that several threads may increment.
struct Counters: Sendable {
  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }

  private let counters: [Counter]

  init(_ count: Int) { counters = (0..<count).map { _ in Counter() } }

  subscript(index: Int) -> Int { counters[index].value.load(ordering: .relaxed) }

  func increment(_ index: Int) { counters[index].value.wrappingAdd(1, ordering: .relaxed) }

  func reset() {
    for counter in counters { counter.value.store(0, ordering: .relaxed) }
  }
}

/// A value behind a lock.
///
/// Not `Mutex`, whose lock lies in a library that the thread sanitizer does not see into: it reports races that are none.
final class Locked<Value> {
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

/// A folder with given files, removed when the value goes.
final class Tree {
  let root: URL

  init(_ files: [String: String]) throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent("groups-\(UUID().uuidString)")
    for (path, text) in files {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  var groups: ControlGroups {
    ControlGroups(membershipFile: root.path + "/membership", mount: root.path + "/fs")
  }
}
