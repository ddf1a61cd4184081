import Synchronization

extension WorkerPool {
  /// The same as ``run(_:maximumThreads:_:)`` with tasks whose neighbours read the same memory, or memory that follows: each thread has a
  /// contiguous share of them, and helps the others when its own is done.
  ///
  /// Threads that claim single tasks in turn break their streams at every task, and read more slowly.
  package func runInShares(
    _ count: Int, maximumThreads: Int = .max, _ body: (_ task: Int, _ thread: Int) -> Void
  ) {
    let shares = min(count, min(threadCount, maximumThreads))
    if shares <= 1 { return run(count, maximumThreads: maximumThreads, body) }
    let stride = PoolState.stride
    withUnsafeTemporaryAllocation(byteCount: shares * stride, alignment: stride) { memory in
      // The next task of each share that nobody has claimed. Relaxed: what claims order, the run orders.
      func claims(_ share: Int) -> UnsafeMutablePointer<Atomic<Int>> {
        (memory.baseAddress! + share * stride).assumingMemoryBound(to: Atomic<Int>.self)
      }
      for share in 0..<shares {
        UnsafeMutableRawPointer(claims(share)).bindMemory(to: Atomic<Int>.self, capacity: 1)
          .initialize(to: Atomic(count * share / shares))
      }
      run(shares, maximumThreads: shares) { _, thread in
        for offset in 0..<shares {
          let share = (thread + offset) % shares
          let end = count * (share + 1) / shares
          while case let task = claims(share).pointee.wrappingAdd(1, ordering: .relaxed).oldValue, task < end
          {
            body(task, thread)
          }
        }
      }
    }
  }
}
