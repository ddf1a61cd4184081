import Foundation
import Parallelism
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 7])
  func doesEachIndexOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    #expect(pool.threadCount == threads)
    let calls = Counters(1000)
    for count in 0...1000 {
      calls.reset()
      pool.run(count) { calls.increment($0) }
      let wrong = (0..<1000).first { calls[$0] != ($0 < count ? 1 : 0) }
      #expect(wrong == nil, "\(threads) threads, \(count) tasks: a wrong number of calls with this index")
    }
  }

  @Test func startsWithTheLowestIndices() {
    let pool = WorkerPool(threads: 2)
    let highest = Atomic<Int>(-1)
    let worstJump = Atomic<Int>(0)
    pool.run(10_000) { index in
      let before = highest.max(index, ordering: .relaxed).oldValue
      worstJump.max(index - before, ordering: .relaxed)
    }
    // Two threads: an index is begun when at most the one before it is claimed and not yet begun.
    #expect(worstJump.load(ordering: .relaxed) <= 2)
  }

  @Test(arguments: [1, 2, 3, 7])
  func doesEachTaskOfAShareOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    let calls = Counters(200)
    for count in 0...200 {
      calls.reset()
      pool.runInShares(count) { task, _ in calls.increment(task) }
      let wrong = (0..<200).first { calls[$0] != ($0 < count ? 1 : 0) }
      #expect(wrong == nil, "\(threads) threads, \(count) tasks: a wrong number of calls with this index")
    }
  }

  /// A thread that has a share begins at its first task, and goes on with the next one while nobody helps.
  @Test func sharesAreContiguous() {
    let pool = WorkerPool(threads: 2)
    let entered = Atomic<Int>(0)
    let firsts = Counters(1000)
    pool.runInShares(1000) { task, _ in
      if task == 0 || task == 500 {
        firsts.increment(task)
        entered.wrappingAdd(1, ordering: .sequentiallyConsistent)
        // Neither share ends before the other has begun.
        while entered.load(ordering: .sequentiallyConsistent) < 2 { usleep(10) }
      }
    }
    #expect(firsts[0] == 1 && firsts[500] == 1)
  }

  @Test(arguments: [2, 5])
  func isReusableAndPublishesPlainWrites(threads: Int) {
    let pool = WorkerPool(threads: threads)
    let values = UnsafeMutablePointer<Int>.allocate(capacity: 16)
    defer { values.deallocate() }
    values.initialize(repeating: 0, count: 16)
    var input = 0
    for run in 1...10_000 {
      input = run
      pool.run(16) { values[$0] += input }
      let expected = run * (run + 1) / 2
      let wrong = (0..<16).first { values[$0] != expected }
      #expect(wrong == nil, "\(threads) threads, run \(run): this value is stale or was written twice")
      if wrong != nil { return }
    }
  }

  @Test(arguments: [1, 2, 3, 7])
  func nestedCallsStayOnTheirThread(threads: Int) {
    let pool = WorkerPool(threads: threads)
    let calls = Counters(20 * 30)
    let strays = Atomic<Int>(0)
    pool.run(20) { outer in
      let thread = threadIdentifier()
      pool.run(30) { inner in
        calls.increment(outer * 30 + inner)
        // With one thread or task the outer call does not hold the pool; the inner one runs here all the same.
        if threadIdentifier() != thread { strays.wrappingAdd(1, ordering: .relaxed) }
      }
    }
    #expect((0..<600).allSatisfy { calls[$0] == 1 })
    #expect(strays.load(ordering: .relaxed) == 0)
  }

  @Test func servesConcurrentCallers() {
    let pool = WorkerPool(threads: 3)
    let callers = 8
    let calls = Counters(callers * 100)
    onThreads(callers) { caller in
      for _ in 0..<200 { pool.run(100) { calls.increment(caller * 100 + $0) } }
    }
    #expect((0..<callers * 100).allSatisfy { calls[$0] == 200 })
  }

  @Test func servesDispatchThreads() {
    let calls = Counters(64)
    DispatchQueue.concurrentPerform(iterations: 16) { _ in
      WorkerPool.shared.run(64) { calls.increment($0) }
    }
    #expect((0..<64).allSatisfy { calls[$0] == 16 })
  }

  @Test(arguments: [1, 2, 3, 4, 100])
  func usesAllAndOnlyTheThreadsAllowed(maximum: Int) {
    let pool = WorkerPool(threads: 4)
    let participants = min(maximum, 4)
    let threads = Locked<Set<UInt>>([])
    for _ in 0..<20 {
      threads.withLock { $0 = [] }
      // Each task waits until as many have begun as threads may take part: were there fewer, none would end.
      let begun = Atomic<Int>(0)
      pool.run(participants, maximumThreads: maximum) { _ in
        _ = threads.withLock { $0.insert(threadIdentifier()) }
        begun.wrappingAdd(1, ordering: .relaxed)
        while begun.load(ordering: .relaxed) < participants { usleep(10) }
      }
      #expect(threads.withLock { $0.count } == participants)
      threads.withLock { $0 = [] }
      pool.run(200, maximumThreads: maximum) { _ in
        _ = threads.withLock { $0.insert(threadIdentifier()) }
        usleep(1)
      }
      #expect(threads.withLock { $0.count } <= participants)
    }
  }

  @Test func worksWithMoreThreadsThanCPUs() {
    let pool = WorkerPool(threads: 8 * CPUBudget.current.affinity)
    let calls = Counters(500)
    for _ in 0..<200 { pool.run(500) { calls.increment($0) } }
    #expect((0..<500).allSatisfy { calls[$0] == 200 })
  }

  @Test func wakesSleepingWorkers() {
    let pool = WorkerPool(threads: 3)
    // 2 ms is far beyond the time that workers spin.
    for time in pool.measureHandOff(rounds: 50, pause: 2_000_000) { #expect(time > 0 && time < 5) }
  }

  @Test(arguments: [2, 3, 16])
  func measuresHandOff(threads: Int) {
    let times = WorkerPool(threads: threads).measureHandOff(rounds: 100)
    #expect(times.count == 100)
    #expect(times.allSatisfy { $0 > 0 && $0 < 5 })
  }

  @Test func hasNobodyToHandToAlone() {
    #expect(WorkerPool(threads: 1).measureHandOff(rounds: 3).isEmpty)
  }

  @Test func endsItsThreads() {
    let before = processThreadCount()
    for round in 0..<200 {
      let pool = WorkerPool(threads: 3)
      // Idle, just used and asleep.
      if round % 3 > 0 { pool.run(round) { _ in } }
      if round % 50 == 2 { usleep(1000) }
    }
    // 400 workers have come and gone; tests that run meanwhile have some threads of their own.
    #expect(processThreadCount() - before < 200)
  }

  @Test func signalsThatEndTheProcessAreNotForWorkers() {
    @Sendable func isBlocked(_ number: Int32) -> Bool {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      return sigismember(&mask, number) == 1
    }
    let ending = [SIGINT, SIGTERM, SIGHUP]
    let (begun, wrong) = (Counters(1), Counters(1))
    // A thread of its own, since those of tests may block signals already.
    onThreads(1) { _ in
      var none = sigset_t()
      sigemptyset(&none)
      pthread_sigmask(SIG_SETMASK, &none, nil)
      let caller = threadIdentifier()
      WorkerPool(threads: 3).run(3) { _ in
        begun.increment(0)
        while begun[0] < 3 { usleep(10) }
        let isWorker = threadIdentifier() != caller
        if !ending.allSatisfy({ isBlocked($0) == isWorker }) || isBlocked(SIGUSR1) { wrong.increment(0) }
      }
    }
    #expect(begun[0] == 3 && wrong[0] == 0)
  }

  @Test func sharedPoolFollowsTheBudget() {
    #expect(WorkerPool.shared.threadCount == CPUBudget.current.threads)
  }

  @Test func runsSeriallyInAForkedChild() {
    let pool = WorkerPool(threads: 3)
    pool.run(10) { _ in }
    let results = UnsafeMutablePointer<Int>.allocate(capacity: 10)
    defer { results.deallocate() }
    results.initialize(repeating: 0, count: 10)
    let child = fork()
    if child == 0 {
      // Should it hang, the alarm ends it.
      alarm(20)
      pool.run(10) { results[$0] += 1 }
      _exit((0..<10).allSatisfy { results[$0] == 1 } ? 42 : 1)
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    #expect(status == 42 << 8, "wait status \(status)")
    #expect((0..<10).allSatisfy { results[$0] == 0 }, "the child's writes are not the parent's")
  }
}
