import Foundation

/// What came of calling something again and again for a while.
package struct Turn: Sendable, Equatable {
  /// Seconds of a call, their mean.
  package var seconds: Double
  /// How many calls.
  package var calls: Int
  /// Seconds that all threads of the process worked for a call.
  package var cpuSeconds: Double

  /// A turn of these calls.
  package init(seconds: Double, calls: Int = 1, cpuSeconds: Double = 0) {
    self.seconds = seconds
    self.calls = calls
    self.cpuSeconds = cpuSeconds
  }
}

/// Something that can be timed against others.
package struct Contender {
  /// When an untimed call begins a turn.
  package enum Warming: Sendable {
    /// Where calls are shorter than ``Rounds/batchSeconds``.
    case shortCalls
    /// However long calls take. For contenders that are compared with each other: else one whose calls are just below
    /// ``Rounds/batchSeconds`` would find warm caches and one just above it cold ones.
    case always
    /// Never: a turn sees to that itself.
    case itself
  }

  /// As the tables show it.
  package let name: String
  /// Seconds of a call where one was timed already: then it needs no more warming up.
  package let knownSeconds: Double?
  /// What begins its turns.
  package let warming: Warming
  /// Rounds that it gets however long its calls take.
  package let leastRounds: Int
  /// Calls it until that many seconds of a clock have passed, at least once.
  let turn: (_ seconds: Double, _ clock: () -> Double) throws -> Turn

  /// A contender that is one call of this process, complete: what it computes stays where a later check finds it.
  package init(
    name: String, knownSeconds: Double? = nil, isAlwaysWarm: Bool = false, run: @escaping () throws -> Void
  ) {
    self.init(name: name, knownSeconds: knownSeconds, warming: isAlwaysWarm ? .always : .shortCalls) {
      seconds, clock in
      let (start, cpuStart) = (clock(), Stopwatch.cpuSeconds())
      var (calls, elapsed) = (0, 0.0)
      repeat {
        try run()
        calls += 1
        elapsed = clock() - start
      } while elapsed < seconds
      let cpuSeconds = Stopwatch.cpuSeconds() - cpuStart
      return Turn(
        seconds: elapsed / Double(calls), calls: calls, cpuSeconds: cpuSeconds / Double(calls))
    }
  }

  /// A contender that is timed elsewhere: it is asked for whole turns.
  package init(
    name: String, knownSeconds: Double? = nil, warming: Warming = .itself, leastRounds: Int = 0,
    turn: @escaping (_ seconds: Double, _ clock: () -> Double) throws -> Turn
  ) {
    self.name = name
    self.knownSeconds = knownSeconds
    self.warming = warming
    self.leastRounds = leastRounds
    self.turn = turn
  }
}

/// The time since some moment before the first question.
package enum Stopwatch {
  private static let epoch = ContinuousClock.Instant.now

  /// Seconds that only ever grow.
  package static func seconds() -> Double {
    let elapsed = (ContinuousClock.Instant.now - epoch).components
    return Double(elapsed.seconds) + 1e-18 * Double(elapsed.attoseconds)
  }

  /// Seconds that all threads of this process have worked.
  package static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }
}
