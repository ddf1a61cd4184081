import Parallelism

/// Pools that all tests share: threads beyond the cores are as right as fewer.
package enum Pools {
  package static let one = WorkerPool(threads: 1)
  package static let two = WorkerPool(threads: 2)
  package static let three = WorkerPool(threads: 3)
  package static let seven = WorkerPool(threads: 7)

  /// The pool of 1, 2, 3 or 7 threads.
  ///
  /// - Precondition: it is one of these.
  package static func of(_ threads: Int) -> WorkerPool {
    guard let pool = [one, two, three, seven].first(where: { $0.threadCount == threads }) else {
      preconditionFailure("no shared pool of \(threads) threads")
    }
    return pool
  }
}
