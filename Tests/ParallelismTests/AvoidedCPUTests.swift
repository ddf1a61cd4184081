import CParallelism
import Foundation
import Synchronization
import Testing

@Suite struct AvoidedCPUTests {
  /// On a thread of its own, whose mask ends with it.
  private func onAThread(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    Thread {
      body()
      done.signal()
    }.start()
    done.wait()
  }

  @Test func aThreadLeavesACPUAndKeepsTheOthers() {
    onAThread {
      let before = CParallelism_affinityCount()
      let cpu = CParallelism_currentCPU()
      #expect(cpu >= 0)
      CParallelism_avoidCPU(cpu)
      #expect(CParallelism_affinityCount() == max(1, before - 1))
      if before > 1 { #expect(CParallelism_currentCPU() != cpu) }
      // What it may not use is what it left last: the others are the process's again.
      let next = CParallelism_currentCPU()
      CParallelism_avoidCPU(next)
      #expect(CParallelism_affinityCount() == max(1, before - 1))
      if before > 1 { #expect(CParallelism_currentCPU() != next) }
    }
  }

  @Test func whatIsNoCPUChangesNothing() {
    onAThread {
      let before = CParallelism_affinityCount()
      CParallelism_avoidCPU(-1)
      CParallelism_avoidCPU(1 << 20)
      #expect(CParallelism_affinityCount() == before)
    }
  }
}
