internal import CParallelism
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Persistent threads that do the tasks of one call together: a parallel loop without a thread's start in it.
///
/// The calling thread works too, as one of ``threadCount``. Between runs the others spin for a moment, then sleep; they
/// cost nothing while the process does something else. Hand-over to a spinning worker takes well under a microsecond,
/// to a sleeping one as long as the kernel takes to wake a thread (``measureHandOff(rounds:pause:)``).
///
/// Workers do not receive SIGINT, SIGTERM and SIGHUP: other threads of the program do.
///
/// A worker that finds itself on the CPU of its caller leaves it: its affinity mask then lacks that CPU. No other mask is touched.
///
/// A pool serves one call at a time. A call that finds it busy, from another thread or from inside a task, does all of
/// its tasks on its own thread: nothing waits for anything, and no more threads run than the pool has, plus such callers.
///
/// A child process made by `fork` has no workers: there, pools of the parent do all tasks on the calling thread. A task
/// that forks must not return in the child (`exec` or `_exit` are fine).
///
/// `@unchecked Sendable`: all that changes after `init` lies in `PoolState`, whose every field is atomic or is ordered
/// by one that is, as argued there.
public final class WorkerPool: @unchecked Sendable {
  /// The pool of this process, with as many threads as ``CPUBudget/current`` said at its first use.
  ///
  /// It is never destroyed: at exit its workers sleep, and end with the process.
  public static let shared = WorkerPool()

  /// How many threads a run can use, the calling thread included.
  ///
  /// What `init` was asked for, or fewer where the system refused to start more threads.
  public let threadCount: Int

  /// A pool holds at most this many threads.
  public static let maximumThreadCount = 1024

  private let state: PoolState
  private let workers: [pthread_t]
  private let spinNanoseconds: UInt64
  private let forkCount: UInt32

  /// How long a thread spins before it sleeps.
  ///
  /// Waking a sleeper costs the waker a system call and the run 5 to 50 µs (the upper end on virtual machines, where a
  /// sleeping CPU must be woken by its host). Spinning for about as long as a wake-up takes costs at most twice what
  /// the better of both choices would have. It covers the gaps between the operators of one model's layer; the gap
  /// between two requests is far longer, and there the workers sleep.
  private static let spinBudget: UInt64 = 60_000

  /// A worker's stack. Tasks keep their memory in ``ThreadScratch``; this covers deep library calls, also where the
  /// C library's default is small (128 KiB with musl). It is address space, touched only as used.
  private static let stackSize = 4 << 20

  /// A pool of `threads` threads: `threads − 1` new ones and whichever thread calls.
  ///
  /// - Parameter threads: 1…1024; `nil` means ``CPUBudget/current``'s ``CPUBudget/threads``.
  ///
  /// Starts the threads, and allocates 128 bytes for each. With more threads than CPUs they sleep at once instead of
  /// spinning, since a spinning thread would then keep a working one from its CPU.
  public init(threads: Int? = nil) {
    // First of all: from here on a fork is counted.
    forkCount = CParallelism_forkCount()
    let budget = CPUBudget.current
    let requested = threads ?? budget.threads
    precondition(
      (1...Self.maximumThreadCount).contains(requested),
      "a pool has 1 to \(Self.maximumThreadCount) threads, not \(requested)")
    let state = PoolState(threads: requested)
    let spinNanoseconds = requested > budget.availableCPUs ? 0 : Self.spinBudget
    var workers: [pthread_t] = []
    for index in 1..<requested {
      let start = WorkerStart(state: state, index: index, spinNanoseconds: spinNanoseconds)
      guard let worker = Self.startThread(start) else { break }
      workers.append(worker)
    }
    self.state = state
    self.workers = workers
    self.spinNanoseconds = spinNanoseconds
    self.threadCount = workers.count + 1
  }

  deinit {
    // In a forked child there is nobody to join, and the parent's copy of the memory is its own.
    if !isForkedChild {
      state.stop()
      for worker in workers { pthread_join(worker, nil) }
    }
    state.deallocate()
  }

  /// Calls `body(0)`, …, `body(count − 1)`, each once, on the calling thread and the workers, and returns when all
  /// are done.
  ///
  /// - Parameters:
  ///   - count: how many tasks. With 0 nothing happens; with 1 the calling thread does it alone.
  ///   - maximumThreads: at most this many threads take part, the calling thread included; at least 1.
  ///   - body: does the task of an index. It is called on several threads at once.
  ///
  /// Threads claim indices in increasing order, one atomic addition a claim, so put the longest tasks first. Which thread
  /// gets which index, and how many threads take part, varies from run to run: a result must not depend on it. What
  /// happened before the call is visible to every task, and what the tasks did is visible when it returns.
  ///
  /// `body` is not `@Sendable` so that it can capture raw pointers: that tasks write to disjoint memory is for the caller
  /// to see to.
  ///
  /// A run on several threads makes one allocation of 32 bytes, the language's checked box around a non-escaping
  /// closure; a run on the calling thread makes none.
  public func run(_ count: Int, maximumThreads: Int = .max, _ body: (Int) -> Void) {
    run(count, maximumThreads: maximumThreads) { task, _ in body(task) }
  }

  /// The same for tasks that use memory of the thread that they run on.
  ///
  /// - Parameters:
  ///   - count: how many tasks.
  ///   - maximumThreads: at most this many threads take part, the calling thread included; at least 1.
  ///   - body: does the task of an index on a thread of the pool, below the smaller of ``threadCount`` and `maximumThreads`; the calling
  ///     thread is 0. No two tasks run on one thread at once.
  public func run(
    _ count: Int, maximumThreads: Int = .max, _ body: (_ task: Int, _ thread: Int) -> Void
  ) {
    precondition(count >= 0, "the number of tasks must not be negative, and is \(count)")
    precondition(maximumThreads >= 1, "maximumThreads must be at least 1, and is \(maximumThreads)")
    if runTogether(count, maximumThreads: maximumThreads, body) { return }
    for index in 0..<count { body(index, 0) }
  }

  /// Does all tasks with the workers' help, or returns false having done none: where there is at most one task or
  /// thread, the pool is busy, or this is a forked child.
  func runTogether(_ count: Int, maximumThreads: Int, _ body: (Int, Int) -> Void) -> Bool {
    let participants = min(count, min(threadCount, maximumThreads))
    guard participants > 1, !isForkedChild else { return false }
    // Acquire and release: each holder sees what the one before it left in the state.
    guard !state.isBusy.pointee.exchange(true, ordering: .acquiring) else { return false }
    // The one hand-over of a non-escaping, non-sendable closure to other threads. It is sound because `perform` returns
    // only when every worker that entered has left, with all its reads of `job` and calls of `body` behind it, and a
    // worker that has not entered by then reads neither.
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: Job(body: body, count: count, callerCPU: CParallelism_currentCPU())) { job in
        state.perform(job, participants: participants, spinNanoseconds: spinNanoseconds)
      }
    }
    state.isBusy.pointee.store(false, ordering: .releasing)
    return true
  }

  /// Whether `fork` has left this process with a copy of the pool and without its workers.
  var isForkedChild: Bool { CParallelism_forkCount() != forkCount }

  private static func startThread(_ start: WorkerStart) -> pthread_t? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackSize)
    let context = UnsafeMutablePointer<WorkerStart>.allocate(capacity: 1)
    context.initialize(to: start)
    var thread = pthread_t()
    // A thread begins with its creator's mask. Signals that end the process belong to the program's own threads, which know what they
    // are in the middle of.
    var (ending, before) = (sigset_t(), sigset_t())
    sigemptyset(&ending)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&ending, number) }
    pthread_sigmask(SIG_BLOCK, &ending, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let status = pthread_create(
      &thread, &attributes,
      { context in
        guard let context = context?.assumingMemoryBound(to: WorkerStart.self) else { return nil }
        let start = context.move()
        context.deallocate()
        CParallelism_nameThread(Int32(start.index))
        start.state.serve(start.index, spinNanoseconds: start.spinNanoseconds)
        return nil
      }, context)
    guard status == 0 else {
      context.deallocate()
      return nil
    }
    return thread
  }
}

/// What a new worker needs to know. It holds the state and not the pool, so that workers do not keep their pool alive.
private struct WorkerStart {
  let state: PoolState
  let index: Int
  let spinNanoseconds: UInt64
}
