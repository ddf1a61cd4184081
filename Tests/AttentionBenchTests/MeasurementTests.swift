import BenchmarkKit
import Testing

@Suite struct QuantilesTests {
  // As numpy.quantile(samples, [0.2, 0.5, 0.8]) gives them.
  @Test(
    arguments: [
      ([5.0, 1, 4, 2, 3], [1.8, 3, 4.2]),
      ([7.0], [7, 7, 7]),
      ([1.0, 2], [1.2, 1.5, 1.8]),
      ([0.0, 0, 10, 0], [0, 0, 4]),
    ] as [([Double], [Double])])
  func areThoseOfNumPy(samples: [Double], expected: [Double]) {
    let quantiles = Quantiles(samples)
    for (value, expected) in zip([quantiles.p20, quantiles.median, quantiles.p80], expected) {
      #expect(abs(value - expected) <= 1e-12, "\(samples)")
    }
  }
}

/// A clock that only runs while a contender works.
private final class FakeTime {
  var now = 0.0
  var calls: [String] = []

  func contender(_ name: String, seconds: Double, known: Double? = nil) -> Contender {
    Contender(name: name, known: known.map { Turn(seconds: $0, cpuSeconds: 2 * $0) }) {
      self.now += seconds
      self.calls.append(name)
    }
  }

  func rounds(_ change: (inout Rounds) -> Void = { _ in }) -> Rounds {
    var rounds = Rounds()
    rounds.secondsEach = 1
    rounds.clock = { self.now }
    change(&rounds)
    return rounds
  }
}

@Suite struct RoundsTests {
  @Test func contendersTakeTurnsInAlternatingOrder() throws {
    let time = FakeTime()
    let samples = try time.rounds {
      $0.minimum = 4; $0.maximum = 4
    }
    .measure([time.contender("a", seconds: 0.25), time.contender("b", seconds: 0.125)])
    .map { $0.map(\.seconds) }
    // Two calls each to warm up, then the rounds.
    #expect(time.calls.joined() == "aabbabbaabba")
    #expect(samples == [[0.25, 0.25, 0.25, 0.25], [0.125, 0.125, 0.125, 0.125]])
  }

  @Test func shortCallsAreTimedInBatchesAfterAnUntimedOne() throws {
    let time = FakeTime()
    let rounds = time.rounds {
      $0.minimum = 1; $0.maximum = 1; $0.batchSeconds = 1.0 / 256
    }
    let turns = try rounds.measure([time.contender("a", seconds: 1.0 / 1024)])[0]
    #expect(turns.map(\.seconds) == [1.0 / 1024] && turns.map(\.calls) == [4])
    #expect(time.calls.count == 2 + 1 + 4)
  }

  @Test func whatIsComparedIsWarmInEveryRound() throws {
    let time = FakeTime()
    let rounds = time.rounds {
      $0.minimum = 2; $0.maximum = 2; $0.batchSeconds = 0.125
    }
    let long = time.contender("a", seconds: 0.25).compared()
    let samples = try rounds.measure([long, time.contender("b", seconds: 0.375)])
      .map { $0.map(\.seconds) }
    #expect(time.calls.joined() == "aabb" + "aab" + "baa")
    #expect(samples == [[0.25, 0.25], [0.375, 0.375]])
  }

  @Test func whatFailsTakesNoMoreTurns() throws {
    let time = FakeTime()
    let rounds = time.rounds {
      $0.minimum = 3; $0.maximum = 3
    }
    var turns = 0
    let failing = Contender(name: "b", callSeconds: 0.25) { _, _ in
      turns += 1
      if turns == 2 { throw BenchmarkError("no") }
      return Turn(seconds: 0.25)
    }
    let outcomes = rounds.outcomes([time.contender("a", seconds: 0.25), failing])
    #expect(try outcomes[0].get().count == 3)
    #expect(throws: BenchmarkError("no")) { try outcomes[1].get() }
    #expect(turns == 2)
  }

  @Test(arguments: [(7.0, 9, 1), (3, 9, 6), (3, 3, 3)])
  func whatIsTimedElsewhereWarmsItselfAndHasItsLeastRounds(callSeconds: Double, minimum: Int, count: Int)
    throws
  {
    let time = FakeTime()
    let rounds = time.rounds { $0.minimum = minimum }
    var asked: [Double] = []
    let slow = Contender(name: "a", callSeconds: callSeconds) { seconds, _ in
      asked.append(seconds)
      return Turn(seconds: 6)
    }
    // Both sides of a comparison have the same rounds; what nothing is compared with has none.
    let ours = time.contender("b", seconds: callSeconds).compared()
    let turns = try rounds.measure([slow, ours, time.contender("c", seconds: callSeconds)])
    let expected = [
      Array(repeating: 6, count: count), Array(repeating: callSeconds, count: count), [callSeconds],
    ]
    #expect(turns.map { $0.map(\.seconds) } == expected)
    #expect(asked == Array(repeating: 0.02, count: count))
    #expect(time.calls.filter { $0 == "c" }.count == 1)
  }

  /// A call of before the rounds is a result only where it was timed like one.
  @Test func whatIsTimedElsewhereHasNoResultBeforeItsFirstTurn() throws {
    let time = FakeTime()
    let peer = Contender(name: "a", callSeconds: 3) { _, _ in Turn(seconds: 3) }
    var questions = 0
    let rounds = time.rounds {
      $0.isInterrupted = {
        questions += 1
        return questions > 2
      }
    }
    let turns = try rounds.measure([peer, time.contender("b", seconds: 5, known: 5)])
    #expect(turns == [[], [Turn(seconds: 5, cpuSeconds: 10)]])
  }

  @Test func whatTakesLongerThanItsTimeIsMeasuredOnce() throws {
    let time = FakeTime()
    let samples = try time.rounds().measure([
      time.contender("slow", seconds: 3), time.contender("known", seconds: 5, known: 5),
      time.contender("fast", seconds: 0.125),
    ]).map { $0.map(\.seconds) }
    #expect(samples[0] == [3])
    #expect(samples[1] == [5])
    // Always the same: known after the fewest rounds that everyone gets.
    #expect(samples[2].count == 9)
    #expect(time.calls.filter { $0 == "slow" }.count == 1)
    #expect(!time.calls.contains("known"))
  }

  @Test func unevenContendersGetRoundsUntilTheirTimeIsOver() throws {
    let time = FakeTime()
    var calls = 0
    // Half of the calls take twice as long as the others: the interval never gets narrow.
    let uneven = Contender(name: "uneven") {
      time.now += calls.isMultiple(of: 2) ? 0.0625 : 0.125
      calls += 1
    }
    let samples = try time.rounds().measure([uneven, time.contender("even", seconds: 0.125)])
    // 0.0625 and 0.125 in turn until a second has passed.
    #expect(samples.map(\.count) == [11, 9])
  }

  @Test func roundsEndWhenTheMedianIsKnown() throws {
    let time = FakeTime()
    var seconds = [1.0, 1.0] + [1.5, 0.5] + [1.0, 1.01, 0.99, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    let settling = Contender(name: "settling") { time.now += seconds.removeFirst() }
    let samples = try time.rounds {
      $0.secondsEach = 100; $0.minimum = 6
    }.measure([settling])
    // The interval of nine samples leaves out the smallest and the largest one.
    #expect(samples[0].map(\.seconds).count == 9)
  }

  @Test func whatIsInterruptedKeepsItsRounds() throws {
    let time = FakeTime()
    let contenders = [time.contender("a", seconds: 0.25), time.contender("b", seconds: 0.25)]
    // Warm-up takes four calls; then a has had its second turn and b its first.
    let samples = try time.rounds { $0.isInterrupted = { time.calls.count >= 7 } }.measure(contenders)
    #expect(time.calls.joined() == "aabbabb")
    #expect(samples.map(\.count) == [1, 2])
    let early = FakeTime()
    let none = try early.rounds { $0.isInterrupted = { true } }.measure([early.contender("a", seconds: 1)])
    #expect(none == [[]] && early.calls.isEmpty)
    let late = FakeTime()
    let warm = try late.rounds { $0.isInterrupted = { late.calls.count >= 2 } }
      .measure([late.contender("a", seconds: 0.25), late.contender("b", seconds: 0.25)])
    #expect(warm == [[], []])
  }

  @Test func errorsOfAContenderComeThrough() {
    let contender = Contender(name: "a") { throw BenchmarkError("no") }
    #expect(throws: BenchmarkError("no")) { try Rounds(quick: true).measure([contender]) }
  }
}

@Suite struct MachineProbeTests {
  @Test func ratesAreThoseOfAMachine() {
    let probe = MachineProbe(threads: 2)
    let limits = probe.limits(workingSet: 1 << 20)
    #expect(1e8...1e14 ~= limits.flopsPerSecond, "\(limits)")
    #expect(1e8...1e14 ~= limits.readBytesPerSecond, "\(limits)")
    #expect(probe.readBytesPerSecond(workingSet: .max) > 0)
    #expect(probe.readBytesPerSecond(workingSet: 0) > 0)
    #expect(probe.flopsPerSecond(threads: 0) == 0)
    #expect(1e8...1e14 ~= probe.readWriteBytesPerSecond(workingSet: 1 << 20))
    #expect(probe.readWriteBytesPerSecond(workingSet: .max) > 0)
    #expect(probe.readWriteBytesPerSecond(workingSet: 0) > 0)
    #expect(probe.readWriteBytesPerSecond(workingSet: 1 << 20, threads: 0) == 0)
  }

  @Test func eachArithmeticHasAPeakOfItsOwn() {
    let probe = MachineProbe(threads: 1)
    // Whoever else uses the machine, as other tests do, can only lower a rate: the best of many moments counts, taken in turns.
    var highest: [Arithmetic: Double] = [:]
    for _ in 0..<40 {
      for arithmetic in Arithmetic.allCases {
        let rate = probe.flopsPerSecond(in: arithmetic, seconds: 0.004)
        highest[arithmetic] = max(highest[arithmetic] ?? 0, rate)
      }
    }
    func best(_ arithmetic: Arithmetic) -> Double { highest[arithmetic] ?? 0 }
    #expect(Arithmetic.float32.isSupported && Arithmetic.float64.isSupported)
    // Half as many fit in a vector, wherever there are vectors of both.
    #expect(0.3...0.8 ~= best(.float64) / best(.float32))
    if Arithmetic.bfloat16.isSupported {
      // Products of pairs: up to four times as many where they run as often as others do, and half as many on CPUs that take them apart.
      #expect(0.2...4.5 ~= best(.bfloat16) / best(.float32))
      #expect(probe.limits(workingSet: 1 << 20, in: .bfloat16).arithmetic == .bfloat16)
    } else {
      #expect(best(.bfloat16) == 0)
      #expect(probe.limits(workingSet: 1 << 20, in: .bfloat16).arithmetic == .float32)
    }
  }

  @Test func smallWorkingSetsAreReadAsFastAsTheirCacheIs() {
    let probe = MachineProbe(threads: 1)
    // The best of many moments, taken in turns, as above.
    var (least, more) = (0.0, 0.0)
    for _ in 0..<60 {
      least = max(least, probe.readBytesPerSecond(workingSet: 4 << 10, seconds: 0.003))
      more = max(more, probe.readBytesPerSecond(workingSet: 16 << 10, seconds: 0.003))
    }
    // Both fit in the first-level cache. The ratio is 0.9; with a look at the clock after each pass over the memory it would be 0.5.
    #expect(least > 0.65 * more)
  }

  @Test func theBetterMomentCounts() {
    let first = MachineLimits(flopsPerSecond: 3, readBytesPerSecond: 5)
    let second = MachineLimits(flopsPerSecond: 4, readBytesPerSecond: 2)
    #expect(first.union(second) == MachineLimits(flopsPerSecond: 4, readBytesPerSecond: 5))
    let bfloat16 = MachineLimits(flopsPerSecond: 3, in: .bfloat16)
    let faster = MachineLimits(flopsPerSecond: 4, in: .bfloat16)
    #expect(bfloat16.union(faster) == faster)
    let (slow, fast) = (MachineLimits(readWriteBytesPerSecond: 1), MachineLimits(readWriteBytesPerSecond: 2))
    #expect(slow.union(fast) == fast && fast.union(slow) == fast)
  }
}
