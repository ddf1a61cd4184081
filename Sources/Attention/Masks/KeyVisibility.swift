/// The range rules of a mask, resolved for one problem: which keys a query's range holds.
struct KeyVisibility: Sendable {
  private let rules: [any KeyRangeRule]
  private let sequences: SequenceExtents
  /// The first keys that rules let all queries see beside their ranges; 0 where none does.
  private let keptKeys: Int
  /// Rows from here on are hidden.
  private var rowLimit = Int.max

  /// Whether every query sees every key of its sequence, as far as ranges say.
  var isUnrestricted: Bool { rules.isEmpty && rowLimit == .max }

  /// Whether a range may have a hole.
  var hasHoles: Bool { keptKeys > 0 }

  /// Takes a mask's rules.
  ///
  /// - Throws: what a rule has to say against its own numbers, and where rules keep different numbers of first keys.
  init(_ mask: AttentionMask, _ sequences: SequenceExtents) throws(AttentionError) {
    var kept = 0
    for rule in mask.rangeRules {
      try rule.check()
      let count = rule.keptKeys
      guard count >= 0, kept == 0 || count == 0 || count == kept else {
        throw AttentionError(
          "mask", "rules that keep \(kept) and \(count) first keys given, expected one number for all rules")
      }
      kept = max(kept, count)
    }
    self.rules = mask.rangeRules
    self.sequences = sequences
    self.keptKeys = kept
  }

  /// The keys that query `query` of sequence `sequence` may see; empty ranges lie within its keys too.
  func visibleKeys(sequence: Int, query: Int) -> VisibleKeys {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: VisibleRanges.entries) { memory in
      guard let base = memory.baseAddress else { preconditionFailure("no room for a range") }
      let ranges = VisibleRanges(base, stride: 1)
      findRanges(sequence: sequence, queries: query..<query + 1, ranges)
      return VisibleKeys(range: ranges.range(0), hole: hasHoles ? ranges.hole(0) : 0..<0)
    }
  }

  /// The same for queries that follow each other: entry `i` is that of query `queries.lowerBound + i`.
  func findRanges(sequence: Int, queries: Range<Int>, _ ranges: VisibleRanges) {
    let extent = sequences.of(sequence)
    let count = queries.count
    let positionCount = Int32(clamping: extent.positionCount)
    ranges.begin.update(repeating: 0, count: count)
    ranges.end.update(repeating: positionCount, count: count)
    for rule in rules { Self.narrow(by: rule, sequence, queries, extent, ranges.begin, ranges.end) }
    if extent.positions.skipped > 0 { Self.toRows(extent.positions, count, ranges.begin, ranges.end) }
    if hasHoles { findKeptKeys(sequence, queries, extent, ranges) }
    let limit = Int32(truncatingIfNeeded: min(extent.keyCount, rowLimit))
    for index in 0..<count {
      ranges.begin[index] = min(ranges.begin[index], limit)
      ranges.end[index] = max(ranges.begin[index], min(ranges.end[index], limit))
    }
    if hasHoles {
      for index in 0..<count {
        ranges.holeBegin[index] = min(ranges.holeBegin[index], ranges.end[index])
        ranges.holeEnd[index] = min(ranges.holeEnd[index], ranges.end[index])
      }
    }
  }

  /// Widens ranges by the first keys that rules keep and the other rules let through; what is between becomes a hole.
  private func findKeptKeys(
    _ sequence: Int, _ queries: Range<Int>, _ extent: SequenceExtent, _ ranges: VisibleRanges
  ) {
    let count = queries.count
    // Here they are the kept keys themselves, before they become the holes after them.
    let (begin, end) = (ranges.holeBegin, ranges.holeEnd)
    begin.update(repeating: 0, count: count)
    end.update(repeating: Int32(clamping: min(keptKeys, extent.positionCount)), count: count)
    for rule in rules where rule.keptKeys == 0 {
      Self.narrow(by: rule, sequence, queries, extent, begin, end)
    }
    if extent.positions.skipped > 0 { Self.toRows(extent.positions, count, begin, end) }
    for index in 0..<count {
      let (kept, seen) = ((begin[index], end[index]), (ranges.begin[index], ranges.end[index]))
      var hole = (ranges.begin[index], ranges.begin[index])
      if kept.0 < kept.1 && seen.0 < seen.1 {
        ranges.begin[index] = min(kept.0, seen.0)
        ranges.end[index] = max(kept.1, seen.1)
        hole = kept.1 < seen.0 ? (kept.1, seen.0) : (ranges.begin[index], ranges.begin[index])
      } else if kept.0 < kept.1 {
        (ranges.begin[index], ranges.end[index]) = kept
        hole = (kept.0, kept.0)
      }
      (ranges.holeBegin[index], ranges.holeEnd[index]) = hole
    }
  }

  /// Positions become rows.
  private static func toRows(
    _ positions: KeyPositions, _ count: Int, _ begin: UnsafeMutablePointer<Int32>,
    _ end: UnsafeMutablePointer<Int32>
  ) {
    for index in 0..<count {
      begin[index] = Int32(clamping: positions.row(at: Int(begin[index])))
      end[index] = Int32(clamping: positions.row(at: Int(end[index])))
    }
  }

  /// A rule's loop over queries. It takes a rule of a known type: existentials are opened once, and not for each query.
  private static func narrow(
    by rule: some KeyRangeRule, _ sequence: Int, _ queries: Range<Int>, _ extent: SequenceExtent,
    _ begin: UnsafeMutablePointer<Int32>, _ end: UnsafeMutablePointer<Int32>
  ) {
    for (index, query) in queries.enumerated() {
      let range = rule.visibleKeys(
        of: QueryPlace(
          sequence: sequence, query: query, position: query + extent.offset, keyCount: extent.positionCount))
      // Rules of a user may say anything; what lies beyond the keys is cut off.
      begin[index] = max(begin[index], Int32(clamping: range.lowerBound))
      end[index] = min(end[index], Int32(clamping: range.upperBound))
    }
  }

  /// Hides the rows from `count` on.
  mutating func limit(toFirst count: Int) { rowLimit = min(rowLimit, count) }
}
