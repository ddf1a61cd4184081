import BenchmarkKit
import Foundation
import TestSupport
import Testing

@Suite struct MachineDescriptionTests {
  @Test func filesOfLinuxAreRead() throws {
    let cpu = "sys/devices/system/cpu/cpu0"
    let tree = try TemporaryDirectory([
      "proc/cpuinfo": """
      processor\t: 0
      model name\t: Some CPU: fast
      cpu MHz\t\t: 2100.5
      flags\t\t: sse avx512f
      vmx flags\t: x
      """,
      "\(cpu)/cpufreq/scaling_governor": "schedutil\n", "\(cpu)/cpufreq/cpuinfo_max_freq": "3700000\n",
      "\(cpu)/cache/index0/level": "1\n", "\(cpu)/cache/index0/type": "Data\n",
      "\(cpu)/cache/index0/size": "48K\n",
      "\(cpu)/cache/index0/shared_cpu_list": "0,64\n",
      "\(cpu)/cache/index1/level": "3\n", "\(cpu)/cache/index1/type": "Unified\n",
      "\(cpu)/cache/index1/size": "32M\n", "\(cpu)/cache/index1/shared_cpu_list": "0-7,64-71\n",
      "\(cpu)/cache/index2/level": "x\n", "\(cpu)/cache/index2/type": "Data\n",
      "\(cpu)/cache/index2/size": "-1K\n",
      "sys/devices/system/node/online": "0-1,4\n", "proc/loadavg": "0.50 1.25 2.00 3/97 18156\n",
      "proc/sys/kernel/osrelease": "6.1.0-x\n", "proc/sys/kernel/hostname": "box\n",
      "proc/sys/kernel/randomize_va_space": "2\n",
    ])
    let machine = MachineDescription(root: tree.path)
    #expect(machine.processor == "Some CPU: fast" && machine.flags == "sse avx512f")
    #expect(machine.megahertz == 3700 && machine.governor == "schedutil")
    #expect(machine.cacheWords == "L1d 48K shared by 2, L3 32768K shared by 16")
    #expect(machine.numaNodes == 3 && machine.loadAverages == [0.5, 1.25, 2])
    #expect(machine.kernel == "6.1.0-x" && machine.hostName == "box" && machine.hasRandomAddresses == true)
  }

  @Test(arguments: [
    [:],
    [
      "proc/loadavg": "", "proc/cpuinfo": ":\n:::",
      "sys/devices/system/node/online": "9-1,x,-,0-99999999999999999999",
    ],
    ["proc/loadavg": "1 2 x", "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "fast"],
  ])
  func whatCannotBeReadIsUnknown(files: [String: String]) throws {
    let machine = MachineDescription(root: try TemporaryDirectory(files).path)
    #expect(machine.processor == "unknown" && machine.flags.isEmpty && machine.caches.isEmpty)
    #expect(machine.megahertz == nil && machine.governor == nil && machine.loadAverages.isEmpty)
    #expect(machine.numaNodes == 1 && machine.cacheWords == "unknown" && machine.hasRandomAddresses == nil)
  }
}

@Suite struct NoiseTests {
  @Test func processorTimeIsReadFromItsFirstLine() throws {
    let start = try #require(
      ProcessorTime(statistics: "cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1 1 1 1 1 1 1 1"))
    let end = try #require(ProcessorTime(statistics: "cpu  150 0 100 810 0 0 0 40 90 0"))
    #expect(end.stolenShare(since: start) == 0.4)
    #expect(start.stolenShare(since: start) == nil)
    for text in [
      "", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8",
    ] {
      #expect(ProcessorTime(statistics: text) == nil, "\(text)")
    }
  }

  @Test func aLoadedMachineIsToldBefore() {
    #expect(Noise.before(load: 0.4, processors: 2, threads: 2).isEmpty)
    #expect(Noise.before(load: 0.5, processors: 2, threads: 2).count == 1)
    #expect(Noise.before(load: 2, processors: 4, threads: 2).isEmpty)
    #expect(Noise.before(load: 2.5, processors: 4, threads: 2).count == 1)
    #expect(Noise.before(load: nil, processors: 2, threads: 2).isEmpty)
    #expect(Noise.before(load: 0.1, processors: 2, threads: 8).isEmpty)
  }

  private static func row(_ seconds: [Double]) -> ResultRow {
    var row = ResultRow(
      name: "a", kernel: "chosen", dtype: "f32", threads: 1,
      work: .attention(usefulFlops: 1, keyValueBytes: 1))
    row.set(seconds.map { Turn(seconds: $0) })
    return row
  }

  @Test func whatWasSeenIsTold() {
    #expect(Noise.seen(stolenShare: 0.001, peakRatio: 0.98).isEmpty)
    #expect(Noise.seen(stolenShare: nil, peakRatio: nil).isEmpty)
    #expect(Noise.seen(stolenShare: 0.2, peakRatio: nil).first?.contains("20.0 %") == true)
    #expect(Noise.seen(stolenShare: nil, peakRatio: 0.8).first?.contains("80.0 %") == true)
    #expect(Noise.seen(stolenShare: nil, peakRatio: 1.2).count == 1)
  }

  @Test func whatIsNotKnownWellIsTold() {
    func seen(_ rows: ResultRow...) -> [String] { Precision.seen(rows: rows, isInterrupted: false) }
    let quiet = Self.row([1, 1, 1, 1, 1, 1])
    #expect(seen(quiet).isEmpty && seen().isEmpty)
    let wide = seen(quiet, Self.row([1, 1, 1, 1, 1, 1.5]))
    #expect(wide.count == 1 && wide[0].hasPrefix("1 of 2 medians") && wide[0].contains("± 25.0 %"), "\(wide)")
    let few = seen(quiet, Self.row([1, 1, 1]))
    #expect(few.count == 1 && few[0].hasPrefix("1 of 2 medians are of too few rounds"), "\(few)")
    #expect(Precision.seen(rows: [quiet], isInterrupted: true).first?.contains("interrupted") == true)
    // Timed once, or a part of it, by design: the rows say so.
    var scaled = Self.row([1, 1, 1])
    scaled.scaledFromPairs = 2
    #expect(seen(quiet, Self.row([1]), scaled).isEmpty)
    var skipped = Self.row([])
    skipped.status = .skipped("no")
    #expect(seen(skipped).isEmpty)
  }
}

@Suite struct MedianIntervalTests {
  // As the table in Le Boudec's appendix A has them.
  @Test(
    arguments: [
      (6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (14, 3), (15, 4), (17, 5), (20, 6), (23, 7), (30, 10),
      (51, 19),
    ]
      as [(Int, Int)])
  func ranksAreThoseOfTheBinomialDistribution(count: Int, rank: Int) {
    #expect(MedianInterval.rank(of: count) == rank)
  }

  @Test func intervalsEndAtSamples() throws {
    #expect(MedianInterval([1, 2, 3, 4, 5]) == nil)
    let interval = try #require(MedianInterval([9, 1, 5, 3, 4, 6, 2, 8, 7]))
    #expect(interval.lower == 2 && interval.upper == 8 && interval.median == 5)
    #expect(interval.halfWidthPercent == 60)
    #expect(MedianInterval([0, 0, 0, 0, 0, 0])?.halfWidthPercent == nil)
  }
}

@Suite struct RemainingTests {
  @Test(
    arguments: [
      (1, 3, 5.0, ", 2 more"), (1, 1, 5, ", the last"), (2, 3, 5, ", 1 more, about 10 s left"),
      (3, 3, 20, ", the last, about 10 s left"), (2, 2, 0, ", the last, about 1 s left"),
      (2, 21, 30, ", 19 more, about 10 min left"), (2, 2, 9000, ", the last, about 3 h left"),
      (2, 1000, 1e300, ", 998 more, about 27778 h left"),
    ] as [(Int, Int, Double, String)])
  func wordsSayWhatIsLeft(begun: Int, count: Int, seconds: Double, words: String) {
    #expect(Remaining.words(begun: begun, of: count, seconds: seconds) == words)
  }
}
