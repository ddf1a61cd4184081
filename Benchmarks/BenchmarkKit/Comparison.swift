import Foundation

/// Two runs, row by row.
///
/// Rounds of one run tell how a row varies within a second or two. From run to run, minutes apart, more changes: who else uses
/// the machine, how fast its memory is, where pages lie. So a row's interval has two parts: a bootstrap of its rounds, and how far
/// rows scatter between the same two runs. And from what its own neighbours in the same rounds did (the naive
/// kernel, other engines, the probes of the machine's limits) follows how far the row may have moved with the machine.
package struct Comparison: Sendable {
  /// The rows of both files, in the order of the newer one; what is only in the older one comes last.
  package let rows: [RowComparison]
  /// Reasons to doubt the comparison, a line each.
  package let warnings: [String]
  /// The ratio above which a slower row is a regression: 1.05.
  package let threshold: Double

  /// The mean ratio of our rows that could be compared.
  package var geometricMean: Double? {
    Statistics.geometricMean(
      rows.filter { $0.isOurs && $0.verdict != .unsettled }.compactMap { $0.change?.ratio })
  }
}

// MARK: - All rows together

extension Comparison {
  /// Whether our rows are slower as a whole, beyond the threshold, what rows that are not ours did, and three standard errors of the mean:
  /// what moves single rows by a tenth moves few of them at a time, and not all the same way.
  package var isSlowerAltogether: Bool {
    func logRatios(ours: Bool) -> [Double] {
      rows.filter { $0.isOurs == ours && $0.verdict != .unsettled }.compactMap {
        $0.change.map { log($0.ratio) }
      }
    }
    let (ours, others) = (logRatios(ours: true), logRatios(ours: false))
    guard ours.count >= 5 else { return false }
    let count = Double(ours.count)
    let mean = ours.reduce(0, +) / count
    let deviation = (ours.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)).squareRoot()
    let excess = mean - (others.isEmpty ? 0 : max(0, Statistics.median(others)))
    return excess > log(threshold) && excess > 3 * deviation / count.squareRoot()
  }
}

// MARK: - Noise

extension Comparison {
  /// How far a run's moment may move a row whose code is the same, as a logarithm. In 20 pairs of runs of one binary, on two cores that
  /// others shared, a row that computes moved by 0.091: pages of another process lie elsewhere, and rounds of one process know nothing
  /// of that. A tenth on a single row is within it; on all rows together it is not.
  static let runNoise = 0.12
  /// Likewise where memory bounds, or where a call takes some microseconds and hand-overs between threads count: such rows have one of
  /// two speeds for as long as a process runs. 0.34 was seen.
  static let placementNoise = 0.35
  /// Seconds below which a call counts as short.
  static let shortCall = 1e-4
}

// MARK: - Comparing

extension Comparison {
  /// Compares what both files have.
  ///
  /// - Parameters:
  ///   - threshold: the ratio above which a slower row is a regression: 1.05.
  ///   - isWanted: which rows.
  /// - Throws: ``BenchmarkError`` where no row is in both.
  package init(
    old: ResultFile, new: ResultFile, threshold: Double, isWanted: (ResultFile.Row) -> Bool = { _ in true }
  ) throws(BenchmarkError) {
    let before = Dictionary(uniqueKeysWithValues: old.rows.filter(isWanted).map { ($0.name, $0) })
    let after = new.rows.filter(isWanted)
    let names = Set(after.map(\.name))
    guard names.contains(where: { before[$0] != nil }) else {
      throw BenchmarkError("no row is in both files")
    }

    let pairs = after.compactMap { row -> (row: ResultFile.Row, rounds: PairedRounds)? in
      guard case .measured(let new) = row.outcome, case .measured(let old)? = before[row.name]?.outcome
      else { return nil }
      return (row, PairedRounds(old: UndisturbedRounds(old), new: UndisturbedRounds(new)))
    }
    let judged = pairs.count { $0.row.isOurs }
    // Šidák's would need independent rows; this holds for any.
    let quantile = Statistics.normalQuantile(1 - 0.025 / Double(max(judged, 1)))
    // Another version of an engine is another program, and tells nothing about the machine.
    let controls = Dictionary(
      grouping: pairs.filter { pair in
        guard let engine = pair.row.engine, !pair.row.isOurs else { return false }
        return old.context.engines?[engine] == new.context.engines?[engine]
      }
    ) { Self.problem($0.row) }
    var changes: [String: (change: RowComparison.Change, rounds: PairedRounds)] = [:]
    for (index, pair) in pairs.enumerated() {
      let neighbours = controls[Self.problem(pair.row), default: []].filter { $0.row.name != pair.row.name }
      let machine = Self.machine(
        neighbours.map(\.rounds.logRatio), old: before[pair.row.name]?.limits ?? [:], new: pair.row.limits,
        oldSeconds: pair.rounds.old.median)
      let runs = Self.dependsOnPlacement(pair, before[pair.row.name]) ? Self.placementNoise : Self.runNoise
      changes[pair.row.name] = (
        RowComparison.Change(
          old: pair.rounds.old.median, new: pair.rounds.new.median,
          interval: Self.interval(pair.rounds, runNoise: runs, quantile: quantile, stream: UInt64(index)),
          machine: machine), pair.rounds
      )
    }

    rows =
      after.map { row in
        guard let earlier = before[row.name] else {
          return RowComparison(
            name: row.name, isOurs: row.isOurs, change: nil, verdict: .onlyInNew, note: nil)
        }
        guard let entry = changes[row.name] else { return Self.unmeasured(earlier, row) }
        return Self.judged(row, entry.change, entry.rounds, threshold: threshold)
      }
      + old.rows.filter { isWanted($0) && !names.contains($0.name) }.map {
        RowComparison(name: $0.name, isOurs: $0.isOurs, change: nil, verdict: .onlyInOld, note: nil)
      }
    warnings = ResultContext.warnings(old: old.context, new: new.context)
    self.threshold = threshold
  }

  /// Rows of the same problem take turns in the same rounds.
  private static func problem(_ row: ResultFile.Row) -> String { "\(row.shape)/\(row.dtype ?? "")" }

  /// Whether reading, or reading and writing, takes two fifths of the time or more in either run, or a call is short.
  private static func dependsOnPlacement(
    _ pair: (row: ResultFile.Row, rounds: PairedRounds), _ before: ResultFile.Row?
  ) -> Bool {
    func isBound(_ limits: [String: Double], _ seconds: Double) -> Bool {
      max(limits["read"] ?? 0, limits["r+w"] ?? 0) > 0.4 * seconds
    }
    let (old, new) = (pair.rounds.old.median, pair.rounds.new.median)
    return isBound(pair.row.limits, new) || isBound(before?.limits ?? [:], old)
      || min(old, new) < shortCall
  }

  /// Percentiles of the bootstrap at 95 %, widened to the level asked for, and by what a run's moment does.
  private static func interval(
    _ rounds: PairedRounds, runNoise: Double, quantile: Double, stream: UInt64
  ) -> ClosedRange<Double> {
    let bootstrap = BlockBootstrap()
    let old = bootstrap.medians(of: rounds.old.seconds, stream: 2 * stream)
    let new = bootstrap.medians(of: rounds.new.seconds, stream: 2 * stream + 1)
    let ratios = zip(new, old).map { log($0 / $1) }.sorted()
    let estimate = rounds.logRatio
    let widening = quantile / Statistics.normalQuantile(0.975)
    func reach(_ fraction: Double) -> Double {
      let distance = (ratios[Int(fraction * Double(ratios.count - 1))] - estimate).magnitude
      return hypot(distance * widening, runNoise)
    }
    return exp(estimate - reach(0.025))...exp(estimate + reach(0.975))
  }

  /// What the machine did, seen from a row: the time that its limits account for grew, or its neighbours took longer.
  private static func machine(
    _ neighbours: [Double], old: [String: Double], new: [String: Double], oldSeconds: Double
  ) -> ClosedRange<Double> {
    var ratios = [1.0]
    if !neighbours.isEmpty { ratios.append(exp(Statistics.median(neighbours))) }
    for (limit, seconds) in new {
      if let before = old[limit] { ratios.append(1 + max(seconds - before, -0.9 * oldSeconds) / oldSeconds) }
    }
    return (ratios.min() ?? 1)...(ratios.max() ?? 1)
  }
}

// MARK: - Verdicts

extension Comparison {
  private static func judged(
    _ row: ResultFile.Row, _ change: RowComparison.Change, _ rounds: PairedRounds, threshold: Double
  ) -> RowComparison {
    var verdict = RowComparison.Verdict.same
    var note: String?
    if change.ratio > threshold, change.interval.lowerBound > change.machine.upperBound {
      verdict = .slower
    } else if change.ratio < 1 / threshold, change.interval.upperBound < change.machine.lowerBound {
      verdict = .faster
    }
    let (before, after) = (rounds.old.seconds.count, rounds.new.seconds.count)
    if min(before, after) < MedianInterval.fewestSamples,
      change.ratio > threshold || change.ratio < 1 / threshold
    {
      // Resamples of one round have no width, those of a few what these happen to span.
      note = "\(before) rounds in OLD, \(after) in NEW: too few to say how sure they are"
      verdict = .unsettled
    } else if let cpus = rounds.cpuRatio, let old = rounds.old.cpus, let new = rounds.new.cpus,
      verdict == .slower && cpus < PairedRounds.comparableCPURatios.lowerBound
        || verdict == .faster && cpus > PairedRounds.comparableCPURatios.upperBound
    {
      note = String(format: "ran on %.2f CPUs in OLD, %.2f in NEW", old, new)
      verdict = .unsettled
    }
    return RowComparison(name: row.name, isOurs: row.isOurs, change: change, verdict: verdict, note: note)
  }

  private static func unmeasured(_ old: ResultFile.Row, _ new: ResultFile.Row) -> RowComparison {
    let (verdict, note): (RowComparison.Verdict, String) =
      switch (old.outcome, new.outcome) {
      case (_, .failed(let reason)): (.failed, "NEW: \(reason)")
      case (_, .skipped(let reason)): (.skipped, "NEW: \(reason)")
      case (.failed(let reason), _): (.skipped, "OLD failed: \(reason)")
      case (.skipped(let reason), _): (.skipped, "OLD: \(reason)")
      case (.measured, .measured): preconditionFailure("\(new.name): measured twice, that is a change")
      }
    return RowComparison(name: new.name, isOurs: new.isOurs, change: nil, verdict: verdict, note: note)
  }
}
