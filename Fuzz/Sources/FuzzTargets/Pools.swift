import Parallelism

/// Threads that all inputs share.
enum Pools {
  static let all = [WorkerPool(threads: 1), WorkerPool(threads: 2), WorkerPool(threads: 3)]
}
