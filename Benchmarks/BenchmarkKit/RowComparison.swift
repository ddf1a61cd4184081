import Foundation

/// A row before and after.
package struct RowComparison: Sendable, Equatable {
  /// What can be said of it.
  package enum Verdict: String, Sendable {
    case faster
    case slower
    /// No difference beyond the noise and the threshold.
    case same
    /// Slower or faster by the clock, but of too few rounds, or while the process got another share of the CPUs.
    case unsettled
    case onlyInOld = "only in OLD"
    case onlyInNew = "only in NEW"
    case failed
    case skipped
  }

  /// A change and how sure it is.
  package struct Change: Sendable, Equatable {
    /// Median seconds, without rounds in which something else ran.
    package let old: Double
    /// Likewise.
    package let new: Double
    /// 95 times in 100, the ratios of all rows that are judged lie in their intervals.
    package let interval: ClosedRange<Double>
    /// Ratios that follow from how the machine itself changed between the two.
    package let machine: ClosedRange<Double>

    /// New time over old: above 1 is slower.
    package var ratio: Double { new / old }
  }

  /// The row's name.
  package let name: String
  /// Whether it is our code, and not what it is held against.
  package let isOurs: Bool
  /// Nil where it was not measured twice.
  package let change: Change?
  /// What follows.
  package let verdict: Verdict
  /// A word on the verdict.
  package let note: String?

  /// Whether a change of ours made it worse.
  package var isRegression: Bool {
    isOurs && (verdict == .slower || verdict == .failed)
  }
}

// MARK: - Rounds

/// The rounds of a row in two runs.
struct PairedRounds {
  let old: UndisturbedRounds
  let new: UndisturbedRounds

  var logRatio: Double { log(new.median / old.median) }

  /// The CPUs that the process worked on in the new run over those in the old one; nil where that is not known.
  var cpuRatio: Double? {
    guard let old = old.cpus, let new = new.cpus else { return nil }
    return new / old
  }

  /// Beyond these, clock times compare something else than code. Rows of the same code that were alone on the machine agree to 0.05.
  static let comparableCPURatios = 0.8...1.25

  var isComparable: Bool { cpuRatio.map(Self.comparableCPURatios.contains) ?? true }
}

/// The rounds of a row in which the process was not held up, as far as it can tell.
struct UndisturbedRounds {
  let seconds: [Double]
  /// CPUs that the process worked on, the median of the rounds; nil where CPU time is not told.
  let cpus: Double?

  /// A round in which another process takes a CPU is longer, and has less CPU time in a second. Such rounds go as long as enough others stay
  /// to say how sure their median is.
  init(_ turns: [Turn]) {
    let cpus = turns.map { $0.cpuSeconds / $0.seconds }
    guard let most = cpus.sorted().dropLast(cpus.count / 10).last, most > 0 else {
      seconds = turns.map(\.seconds)
      self.cpus = nil
      return
    }
    let kept = turns.indices.filter { cpus[$0] >= 0.9 * most }
    let isEnough = kept.count >= MedianInterval.fewestSamples
    seconds = isEnough ? kept.map { turns[$0].seconds } : turns.map(\.seconds)
    self.cpus = Statistics.median(isEnough ? kept.map { cpus[$0] } : cpus)
  }

  var median: Double { Statistics.median(seconds) }
}
