import Foundation
import Parallelism
import Synchronization
import Testing

@Suite struct ThreadScratchTests {
  @Test(arguments: [0, 1, 63, 64, 65, 4096, 1 << 20, 16 << 20, (16 << 20) + 1, 40 << 20])
  func isAlignedAndLargeEnough(byteCount: Int) {
    ThreadScratch.withBytes(byteCount) { bytes in
      #expect(bytes.count >= byteCount)
      #expect(UInt(bitPattern: bytes.baseAddress) % 64 == 0, "\(byteCount) bytes")
      #expect(bytes.baseAddress != nil)
      // Writes to the ends, for the sanitizers and the allocator's own checks.
      if byteCount > 0 { (bytes[0], bytes[byteCount - 1]) = (1, 2) }
    }
  }

  @Test func isReused() {
    // On a thread of its own, so that no other test has used its scratch.
    onThreads(1) { _ in
      let first = address(1000)
      #expect(address(1000) == first)
      #expect(address(10) == first, "a smaller request")
      let large = address(1 << 20)
      #expect(address(1 << 20) == large)
      #expect(address(1000) == large, "a smaller request after growth")
      // Geometric growth: half as much again fits in what the last growth left, so it does not move.
      let grown = address((1 << 20) + 64)
      #expect(address(3 << 19) == grown)
    }
  }

  @Test func keepsNothingBeyondItsLimit() {
    onThreads(1) { _ in
      let kept = address(1000)
      _ = address(ThreadScratch.maximumKeptByteCount + 1)
      #expect(address(1000) == kept, "a request that is not kept displaced the block that is")
    }
  }

  @Test func nestedCallsHaveTheirOwn() {
    onThreads(1) { _ in
      var firstAddresses: [UInt] = []
      for round in 0..<3 {
        var addresses: [UInt] = []
        ThreadScratch.withBytes(256) { outer in
          outer.initializeMemory(as: UInt8.self, repeating: 1)
          ThreadScratch.withBytes(512) { middle in
            middle.initializeMemory(as: UInt8.self, repeating: 2)
            ThreadScratch.withBytes(1 << 20) { inner in
              inner.initializeMemory(as: UInt8.self, repeating: 3)
              addresses = [outer, middle, inner].map { UInt(bitPattern: $0.baseAddress) }
            }
            #expect(middle.allSatisfy { $0 == 2 })
          }
          #expect(outer.allSatisfy { $0 == 1 })
        }
        if round == 0 { firstAddresses = addresses }
        #expect(Set(addresses).count == 3)
        #expect(addresses == firstAddresses, "round \(round): each depth keeps its block")
      }
    }
  }

  @Test func isGivenBackWhenTheBodyThrows() {
    struct Stop: Error, Equatable {}
    onThreads(1) { _ in
      let first = address(100)
      #expect(throws: Stop()) {
        try ThreadScratch.withBytes(100) { (_) throws(Stop) -> Int in throw Stop() }
      }
      #expect(address(100) == first)
    }
  }

  @Test func differsBetweenThreads() {
    let addresses = Locked<Set<UInt>>([])
    let holding = Atomic<Int>(0)
    // Four threads of a pool hold scratch at the same time.
    WorkerPool(threads: 4).run(4) { _ in
      ThreadScratch.withBytes(1000) { bytes in
        let address = UInt(bitPattern: bytes.baseAddress)
        _ = addresses.withLock { $0.insert(address) }
        holding.wrappingAdd(1, ordering: .relaxed)
        while holding.load(ordering: .relaxed) < 4 { usleep(10) }
      }
    }
    #expect(addresses.withLock { $0.count } == 4)
  }
}

/// Where this thread's scratch of a size lies.
private func address(_ byteCount: Int) -> UInt {
  ThreadScratch.withBytes(byteCount) { UInt(bitPattern: $0.baseAddress) }
}
