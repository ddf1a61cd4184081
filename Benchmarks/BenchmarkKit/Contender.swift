import Foundation

/// What came of calling something again and again for a while.
package struct Turn: Sendable, Equatable {
  /// Seconds of a call, their mean.
  package var seconds: Double
  /// How many calls.
  package var calls: Int
  /// Seconds that all threads of the process worked for a call.
  package var cpuSeconds: Double

  package init(seconds: Double, calls: Int = 1, cpuSeconds: Double = 0) {
    self.seconds = seconds
    self.calls = calls
    self.cpuSeconds = cpuSeconds
  }
}

/// Something that can be timed against others.
package struct Contender {
  /// What is known before its first round.
  enum Start {
    /// Nothing: it has to be warmed up, then and for each turn.
    case cold
    /// A call was timed here, which is its result where there is no time for more.
    case timed(Turn)
    /// About how long a call takes, from somebody who warms up for each turn.
    case elsewhere(callSeconds: Double)
  }

  /// As the tables show it.
  package let name: String
  /// Whether its times are set against those of others in the same rounds. Then it has rounds to be compared in however long its calls
  /// take, and all its turns begin with an untimed call: else one whose calls are just below ``Rounds/batchSeconds`` would find warm
  /// caches and one just above it cold ones.
  package private(set) var isCompared: Bool
  let start: Start
  /// Calls it until that many seconds of a clock have passed, at least once.
  package let turn: (_ seconds: Double, _ clock: () -> Double) throws -> Turn

  /// A contender that is one call of this process, complete: what it computes stays where a later check finds it.
  ///
  /// - Parameter known: a call that was timed already: then it needs no more warming up.
  package init(name: String, known: Turn? = nil, run: @escaping () throws -> Void) {
    self.name = name
    isCompared = false
    start = known.map { .timed($0) } ?? .cold
    turn = { seconds, clock in
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

  /// A contender that is timed elsewhere, to be compared: it is asked for whole turns, and warms up for each itself.
  ///
  /// - Parameter callSeconds: about how long a call takes.
  package init(
    name: String, callSeconds: Double,
    turn: @escaping (_ seconds: Double, _ clock: () -> Double) throws -> Turn
  ) {
    self.name = name
    isCompared = true
    start = .elsewhere(callSeconds: callSeconds)
    self.turn = turn
  }

  /// The same, to be compared with others.
  package func compared() -> Contender {
    var contender = self
    contender.isCompared = true
    return contender
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
