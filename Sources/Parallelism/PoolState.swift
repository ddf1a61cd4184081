internal import CParallelism
import Synchronization

/// The gate's value: who may join the run that is open, and how many workers are inside.
///
/// Bits 63…32: the number of the run, modulo 2^32. Bits 31…16: how many threads the open run may use, the caller
/// included; 0 while no run is open, `stop` when the workers must end. Bits 15…0: how many workers are inside.
struct GateValue {
  static let stop: UInt64 = 0xFFFF

  let bits: UInt64

  var run: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
  var participants: UInt64 { (bits >> 16) & 0xFFFF }
  var active: UInt64 { bits & 0xFFFF }

  var isStopped: Bool { participants == Self.stop }

  /// Whether a run is open that the worker `index` may join.
  func invites(_ index: Int) -> Bool { !isStopped && participants > UInt64(index) }

  /// What to add to the gate to open the next run.
  func opening(participants: Int) -> UInt64 { 1 << 32 | UInt64(participants) << 16 }
}

/// One run's work. It lies on the caller's stack for as long as the gate's run is open or a worker is inside.
struct Job {
  /// Does a task, on a thread of the pool.
  let body: (_ task: Int, _ thread: Int) -> Void
  let count: Int
  /// Where the calling thread was when it opened the run.
  let callerCPU: Int32
}

/// What the caller and the workers of one pool share, in one block of memory that outlives the workers.
///
/// Each field that one thread writes while another reads has 128 bytes to itself: two 64-byte lines, because x86 cores
/// fetch lines in pairs (and some arm64 cores have lines of 128 bytes), so no two fields contend for a line.
///
/// Every worker that enters counts itself at the gate, and the caller waits only for those: one that is slow to wake
/// delays nobody. The caller opens the run, works, closes it, and waits until nobody is inside. A worker enters by
/// adding 1 to the gate; the value it gets back says, atomically, whether the run was still open. If not, it takes its
/// 1 back and has touched nothing.
///
/// Order of memory. The caller writes `job` and `nextIndex`, then opens the gate (a read-modify-write with release
/// semantics); a worker reads them after entering (a read-modify-write with acquire semantics that saw the open gate).
/// A worker leaves with a release; the caller's last read of the gate, an acquire, sees 0 inside, hence everything the
/// workers wrote. All of the gate's modifications are read-modify-writes, so each release reaches that last read
/// whatever came in between. The gate's accesses are sequentially consistent because ``ParkingSpot`` asks for it.
struct PoolState {
  static let stride = 128

  let gate: UnsafeMutablePointer<Atomic<UInt64>>
  /// The next index that nobody has claimed. Relaxed: only the claim must be atomic; what it orders, the gate orders.
  let nextIndex: UnsafeMutablePointer<Atomic<Int>>
  /// The open run's work. Plain memory: written while nobody is inside, read by those inside.
  let job: UnsafeMutablePointer<UnsafePointer<Job>?>
  /// Whether some caller has the pool.
  let isBusy: UnsafeMutablePointer<Atomic<Bool>>

  private let memory: UnsafeMutableRawPointer
  private let threads: Int

  init(threads: Int) {
    self.threads = threads
    memory = .allocate(byteCount: (4 + threads) * Self.stride, alignment: Self.stride)
    gate = memory.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
    gate.initialize(to: Atomic(0))
    nextIndex = (memory + Self.stride).bindMemory(to: Atomic<Int>.self, capacity: 1)
    nextIndex.initialize(to: Atomic(0))
    job = (memory + 2 * Self.stride).bindMemory(to: UnsafePointer<Job>?.self, capacity: 1)
    job.initialize(to: nil)
    isBusy = (memory + 3 * Self.stride).bindMemory(to: Atomic<Bool>.self, capacity: 1)
    isBusy.initialize(to: Atomic(false))
    for index in 0..<threads {
      let word = (memory + (4 + index) * Self.stride).bindMemory(to: Atomic<UInt32>.self, capacity: 1)
      word.initialize(to: Atomic(0))
    }
  }

  /// Frees the memory. Atomics and pointers to jobs need no deinitialisation.
  func deallocate() { memory.deallocate() }

  /// Where the thread `index` waits: 0 is the caller.
  func spot(_ index: Int) -> ParkingSpot {
    let word = memory + (4 + index) * Self.stride
    return ParkingSpot(word: word.assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  func gateValue() -> GateValue { GateValue(bits: gate.pointee.load(ordering: .sequentiallyConsistent)) }

  // MARK: The caller

  /// Runs `job` on the calling thread and up to `participants − 1` workers. The calling thread holds `isBusy`.
  func perform(_ job: UnsafePointer<Job>, participants: Int, spinNanoseconds: UInt64) {
    self.job.pointee = job
    nextIndex.pointee.store(0, ordering: .relaxed)
    // Only the holder of `isBusy` changes the upper bits, so adding a difference sets them; workers that look in too
    // late for an earlier run may be changing the lower bits meanwhile.
    let opening = gateValue().opening(participants: participants)
    gate.pointee.wrappingAdd(opening, ordering: .sequentiallyConsistent)
    for index in 1..<participants { spot(index).wake() }
    work(job.pointee.body, count: job.pointee.count, thread: 0)
    let closing = UInt64(participants) << 16
    let closed = gate.pointee.wrappingSubtract(closing, ordering: .sequentiallyConsistent)
    if GateValue(bits: closed.newValue).active != 0 {
      spot(0).wait(spinNanoseconds: spinNanoseconds) { gateValue().active == 0 }
    }
    self.job.pointee = nil
  }

  /// Claims and does indices until none is left. (The closure is a parameter so that it is retained once per thread
  /// and run, not once per index: the count would be one more contended line.)
  private func work(_ body: (Int, Int) -> Void, count: Int, thread: Int) {
    while true {
      let index = nextIndex.pointee.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index, thread)
    }
  }

  // MARK: The workers

  /// Moves a worker away from the caller's CPU, for good.
  ///
  /// A scheduler likes to wake a thread where its waker is. There it waits until the caller's time slice ends, and finds no work left:
  /// with two CPUs a run then takes as long as on one, call after call. Where each thread can have a CPU of its own, the worker that
  /// finds itself beside the caller asks for any other; one that has done so is rarely there again, since callers rarely move.
  private func leave(_ callerCPU: Int32) {
    let cpu = CParallelism_currentCPU()
    if cpu >= 0 && cpu == callerCPU { CParallelism_avoidCPU(cpu) }
  }

  /// Tells all workers to return. No run is open and none will be.
  func stop() {
    gate.pointee.wrappingAdd(GateValue.stop << 16, ordering: .sequentiallyConsistent)
    for index in 1..<threads { spot(index).wake() }
  }

  /// A worker's life: waits for a run that invites it, joins, waits again, until stopped.
  func serve(_ index: Int, spinNanoseconds: UInt64) {
    // A worker that sleeps through exactly 2^32 runs misses the next one, which then goes on without it.
    var lastRun: UInt32 = 0
    while true {
      spot(index).wait(spinNanoseconds: spinNanoseconds) {
        let value = gateValue()
        return value.isStopped || (value.run != lastRun && value.invites(index))
      }
      if gateValue().isStopped { return }
      let entered = gate.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
      let value = GateValue(bits: entered.oldValue)
      if value.invites(index) {
        lastRun = value.run
        // Waking many sleepers one after another is what a run after a pause costs most, so those who are awake help.
        // The caller goes through all of them too: nobody depends on a helper.
        for child in (2 * index + 1)..<(2 * index + 3) where child < value.participants { spot(child).wake() }
        if let job = job.pointee {
          if spinNanoseconds > 0 { leave(job.pointee.callerCPU) }
          work(job.pointee.body, count: job.pointee.count, thread: index)
        }
      }
      let left = GateValue(
        bits: gate.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue)
      if left.participants == 0, left.active == 0 { spot(0).wake() }
    }
  }
}
