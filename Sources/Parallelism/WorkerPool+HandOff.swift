internal import CParallelism
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension WorkerPool {
  /// Measures how long it takes to get all threads of this pool to work: the time in seconds from the call of `run`
  /// until the last of them has entered its task, once per round.
  ///
  /// On an idle machine of two CPUs the median is 0.2 µs where the workers spin, and 15 to 30 µs where they sleep and the
  /// kernel must wake them. Where other processes hold the CPUs, it is the scheduler's time that is measured.
  ///
  /// Every thread gets one task, which ends when all have begun: no thread can do two, and none is left out.
  ///
  /// - Parameters:
  ///   - rounds: how many runs to measure.
  ///   - pause: nanoseconds between rounds. 0 finds the workers spinning; 1,000,000 finds them asleep.
  /// - Returns: `rounds` times, in the order measured; empty where there is nobody to hand to (one thread, or a forked
  ///   child). Waits while another thread uses the pool, so it must not be called from a task of this pool.
  public func measureHandOff(rounds: Int, pause: UInt32 = 0) -> [Double] {
    precondition(rounds >= 0, "the number of rounds must not be negative, and is \(rounds)")
    guard threadCount > 1, !isForkedChild else { return [] }
    let total = threadCount
    var times: [Double] = []
    times.reserveCapacity(rounds)
    while times.count < rounds {
      if pause > 0 { usleep(pause / 1000) }
      let entered = Atomic<Int>(0)
      let last = Atomic<UInt64>(0)
      let begin = monotonicNanoseconds()
      let ran = runTogether(total, maximumThreads: .max) { _, _ in
        last.max(monotonicNanoseconds(), ordering: .relaxed)
        entered.wrappingAdd(1, ordering: .releasing)
        let haveAllEntered = { entered.load(ordering: .acquiring) == total }
        // With more threads than CPUs, those that have entered must let the others run.
        while !ParkingSpot.spin(nanoseconds: 20_000, until: haveAllEntered) { sched_yield() }
      }
      if ran {
        times.append(Double(last.load(ordering: .relaxed) - begin) * 1e-9)
      } else {
        sched_yield()
      }
    }
    return times
  }
}
