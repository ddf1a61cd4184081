/// What a reader of a run's numbers must know of them once they are there, a sentence each.
package struct Caveats: Sendable, Equatable {
  /// What disturbed the machine during the run.
  package var noise: [String]
  /// Which medians are not known well, whatever the reason.
  package var precision: [String]

  package init(noise: [String] = [], precision: [String] = []) {
    self.noise = noise
    self.precision = precision
  }

  /// With the words that they stand behind.
  package var facts: [(String, String)] { noise.map { ("noise", $0) } + precision.map { ("precision", $0) } }
}

/// How well medians are known, a sentence for each way in which they are not.
package enum Precision {
  /// A median counts as known where half its interval's width is at most this much of it, in percent.
  package static var widestPercent: Double { 2 }

  /// What is to be told of these results.
  package static func seen(rows: [ResultRow], isInterrupted: Bool) -> [String] {
    let measured = rows.filter { $0.status == .ok && !$0.turns.isEmpty }
    let sentences = [wide(measured), few(measured)].compactMap { $0 }
    return isInterrupted
      ? sentences + ["the run was interrupted: some results are of fewer rounds or missing"] : sentences
  }

  private static func wide(_ rows: [ResultRow]) -> String? {
    let widths = rows.compactMap { row in row.medianInterval?.halfWidthPercent.map { (row: row, percent: $0) }
    }
    let wide = widths.filter { $0.percent > widestPercent }
    guard let widest = wide.max(by: { $0.percent < $1.percent }) else { return nil }
    return
      "\(wide.count) of \(rows.count) medians were not known to \(short(widestPercent)) % when their time was over (the "
      + "widest: \(widest.row.runName), ± \(short(widest.percent)) %)"
  }

  /// Some have few by design, and their rows say so: one call that takes longer than its time, and a part that is scaled to the whole.
  private static func few(_ rows: [ResultRow]) -> String? {
    let few = rows.count { $0.medianInterval == nil && $0.rounds > 1 && $0.scaledFromPairs == nil }
    return few == 0
      ? nil : "\(few) of \(rows.count) medians are of too few rounds to say how well they are known"
  }
}
