/// One problem, computed by an older build and by this one.
package struct AgainstRow: Sendable {
  /// The rounds of two processes that were started together.
  package struct Sitting: Sendable, Equatable {
    /// A turn a round.
    let older: [Turn]
    /// As many.
    let newer: [Turn]

    /// What the older build's calls took over this one's, the median of the rounds.
    var ratio: Double { Quantiles(zip(older, newer).map { $0.seconds / $1.seconds }).median }
  }

  /// What came of it.
  package enum Outcome: Sendable, Equatable {
    case measured([Sitting])
    /// Wrong in one of the two, or lost on the way; who, and why.
    case failed(String)
    /// One of the two cannot compute it; who, and why.
    case skipped(String)
  }

  /// The shape's name.
  package let name: String
  /// Its element type.
  package let dtype: String
  /// What came of it.
  package private(set) var outcome: Outcome

  /// A row before its first sitting.
  package init(name: String, dtype: String) {
    self.name = name
    self.dtype = dtype
    outcome = .measured([])
  }
}

// MARK: - Sittings

extension AgainstRow {
  /// Rows of one problem, measured in the same rounds.
  package mutating func add(older: ResultRow, newer: ResultRow) {
    guard case .measured(let sittings) = outcome else { return }
    for (who, row) in [("older", older), ("newer", newer)] {
      switch row.status {
      case .ok: continue
      case .failed(let reason): outcome = .failed("\(who): \(reason)")
      case .skipped(let reason): outcome = .skipped("\(who): \(reason)")
      }
      return
    }
    let count = min(older.turns.count, newer.turns.count)
    guard count > 0 else { return }
    let sitting = Sitting(older: Array(older.turns.prefix(count)), newer: Array(newer.turns.prefix(count)))
    outcome = .measured(sittings + [sitting])
  }

  /// The older build's time over this one's, above 1 where this one is faster, and where it lies with a probability of 95 %.
  ///
  /// A sitting gives one ratio: where memory lies does not change within one, so that its rounds agree with each other better than with
  /// those of the next. nil where sittings are too few, or there is nothing to compare.
  package var speedup: MedianInterval? { MedianInterval(sittings.map(\.ratio)) }

  /// Whether the next sitting may change what is said of it: where a bound is given, as long as the interval contains it, and else until the
  /// interval is narrow.
  ///
  /// - Parameter bound: the speedup below which it counts as slower; nil for none.
  package func wantsSitting(bound: Double?) -> Bool {
    guard case .measured(let sittings) = outcome, sittings.count < Self.mostSittings else { return false }
    guard let speedup, let percent = speedup.halfWidthPercent else { return true }
    return bound.map { speedup.lower < $0 && $0 <= speedup.upper } ?? (percent > Self.enoughPercent)
  }

  /// Half the interval's width that is narrow enough: half of what the smallest change is that anybody acts upon.
  static var enoughPercent: Double { 2.5 }
  /// Where the interval of as many is not narrow enough, the next ones add little.
  static var mostSittings: Int { 21 }

  /// Whether it is slower than `bound`, and that for sure, or went wrong.
  package func isWorse(than bound: Double?) -> Bool {
    if case .failed = outcome { return true }
    guard let bound, let speedup else { return false }
    return speedup.upper < bound
  }

  private var sittings: [Sitting] {
    guard case .measured(let sittings) = outcome else { return [] }
    return sittings
  }

  private func milliseconds(_ turns: (Sitting) -> [Turn]) -> String {
    sittings.isEmpty ? "" : short(1e3 * Quantiles(sittings.flatMap { turns($0).map(\.seconds) }).median)
  }
}

// MARK: - Text

extension AgainstRow {
  /// The table of such rows.
  package static func lines(_ rows: [AgainstRow], bound: Double?, _ format: TableFormat) -> [String] {
    let header = ["shape", "dtype", "older, ms", "this, ms", "x older", "95 %", "sittings", ""]
    let cells = rows.map { $0.cells(bound: bound) }
    let table = TextTable(format, header, words: [0, 1, 7], rows: cells)
    return table.heading + cells.map(table.line)
  }

  private func cells(bound: Double?) -> [String] {
    let word =
      switch outcome {
      case .failed(let reason): "FAILED: \(reason)"
      case .skipped(let reason): "skipped: \(reason)"
      case .measured: isWorse(than: bound) ? "SLOWER" : ""
      }
    func ratio(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "" }
    return [
      name, dtype, milliseconds(\.older), milliseconds(\.newer), ratio(speedup?.median),
      speedup.map { "\(ratio($0.lower))–\(ratio($0.upper))" } ?? "", "\(sittings.count)", word,
    ]
  }
}
