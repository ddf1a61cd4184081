import Foundation
import Parallelism
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@Suite struct MemoryBudgetTests {
  @Test(
    arguments: [
      ("MemTotal: 9 kB\nMemAvailable:    1024 kB\nBuffers: 1 kB\n", 1 << 20), ("MemAvailable: 0 kB", 0),
      ("", nil), ("MemTotal: 9 kB\n", nil), ("MemAvailable: 1024\n", nil), ("MemAvailable: -1 kB", nil),
      ("MemAvailable: 1024 MB", nil), ("MemAvailable: x kB", nil),
      ("MemAvailable: 9223372036854775807 kB", nil),
      ("XMemAvailable: 1 kB\n", nil), ("MemAvailable:\n", nil),
    ] as [(String, Int?)])
  func parsesWhatTheMachineHas(text: String, expected: Int?) {
    #expect(MemoryBudget.parseAvailable(text) == expected, "\(text.debugDescription)")
  }

  @Test func theLeastCounts() {
    #expect(MemoryBudget().available == .max)
    #expect(MemoryBudget(machine: 3).available == 3)
    #expect(MemoryBudget(machine: 3, controlGroups: 2).available == 2)
    #expect(MemoryBudget(machine: 3, controlGroups: 2, addressSpace: 1).available == 1)
  }

  @Test func takesTheTightestGroupOnTheWayUp() throws {
    let tree = try Tree([
      "membership": "0::/pod/inner\n", "fs/memory.max": "max\n", "fs/memory.current": "9000\n",
      "fs/pod/memory.max": "10000\n", "fs/pod/memory.current": "9500\n",
      "fs/pod/inner/memory.max": "5000\n", "fs/pod/inner/memory.current": "1000\n",
    ])
    #expect(tree.groups.memoryLeft() == 500)
  }

  @Test func filesInCacheAreNotCounted() throws {
    let tree = try Tree([
      "membership": "0::/a\n", "fs/a/memory.max": "10000\n", "fs/a/memory.current": "9000\n",
      "fs/a/memory.stat": "anon 2000\ninactive_file 4000\nactive_file 2500\ntotal_inactive_file 1\n",
    ])
    #expect(tree.groups.memoryLeft() == 7500)
    // More in cache than is used makes no sense, and gives no more than the limit.
    let odd = try Tree([
      "membership": "0::/a\n", "fs/a/memory.max": "10000\n", "fs/a/memory.current": "10\n",
      "fs/a/memory.stat": "inactive_file 9223372036854775807\nactive_file 9223372036854775807\n",
    ])
    #expect(odd.groups.memoryLeft() == 10000)
  }

  @Test func readsVersion1() throws {
    let tree = try Tree([
      "membership": "7:memory:/x\n3:cpu,cpuacct:/x\n0::/\n",
      "fs/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "fs/memory/memory.usage_in_bytes": "500\n",
      "fs/memory/x/memory.limit_in_bytes": "10000\n", "fs/memory/x/memory.usage_in_bytes": "9000\n",
      "fs/memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n",
    ])
    #expect(tree.groups.memoryLeft() == 1500)
  }

  @Test func whatIsUsedUpLeavesNothing() throws {
    let tree = try Tree([
      "membership": "0::/a\n", "fs/a/memory.max": "1000\n", "fs/a/memory.current": "2000\n",
    ])
    #expect(tree.groups.memoryLeft() == 0)
  }

  @Test(
    arguments: [
      [:], ["membership": "0::/a\n"], ["membership": "0::/a\n", "fs/a/memory.max": "1000\n"],
      ["membership": "0::/a\n", "fs/a/memory.max": "max\n", "fs/a/memory.current": "10\n"],
      ["membership": "0::/a\n", "fs/a/memory.max": "-1\n", "fs/a/memory.current": "10\n"],
      ["membership": "0::/a\n", "fs/a/memory.max": "1000\n", "fs/a/memory.current": "-10\n"],
      ["membership": "0::/a\n", "fs/a/memory.max": "\u{FFFD}\u{0}", "fs/a/memory.current": "10\n"],
      [
        "membership": "3:cpu:/\n", "fs/cpu/memory.limit_in_bytes": "1",
        "fs/cpu/memory.usage_in_bytes": "1",
      ],
    ] as [[String: String]])
  func findsNoLimitWhereNoneCanBeRead(files: [String: String]) throws {
    #expect(try Tree(files).groups.memoryLeft() == nil, "\(files)")
  }

  @Test func thisMachineHasSome() throws {
    let budget = MemoryBudget.current
    let machine = try #require(budget.machine)
    #expect(machine > 0 && machine <= Int(ProcessInfo.processInfo.physicalMemory))
    #expect(budget.available <= machine)
  }

  @Test func aLimitedAddressSpaceIsLeftInPart() async {
    await #expect(processExitsWith: .success) {
      let before = try #require(addressSpace(limitedTo: 64 << 30))
      #expect(before < 64 << 30)
      let block = mmap(nil, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      try #require(block != MAP_FAILED)
      let after = try #require(MemoryBudget.current.addressSpace)
      // Whatever else was mapped meanwhile is far smaller.
      #expect(abs(before - after - 1 << 30) < 64 << 20)
    }
  }
}

/// What is left of an address space with this limit.
private func addressSpace(limitedTo bytes: UInt) -> Int? {
  var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
  #if canImport(Glibc)
    let status = setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  #else
    let status = setrlimit(RLIMIT_AS, &limit)
  #endif
  return status == 0 ? MemoryBudget.current.addressSpace : nil
}
