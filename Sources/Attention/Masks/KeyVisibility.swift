/// The range rules of a mask, resolved for one problem: which keys a query's range holds.
struct KeyVisibility: Sendable {
  private var rules: [any KeyRangeRule]
  private let sequences: SequenceExtents

  /// Whether every query sees every key of its sequence, as far as ranges say.
  var isUnrestricted: Bool { rules.isEmpty }

  /// Takes a mask's rules.
  ///
  /// - Throws: what a rule has to say against its own numbers.
  init(_ mask: AttentionMask, _ sequences: SequenceExtents) throws(AttentionError) {
    for rule in mask.rangeRules { try rule.check() }
    self.rules = mask.rangeRules
    self.sequences = sequences
  }

  /// The keys that query `query` of sequence `sequence` may see; empty ranges lie within its keys too.
  func visibleKeys(sequence: Int, query: Int) -> Range<Int> {
    let extent = sequences.of(sequence)
    var lower = 0
    var upper = extent.keyCount
    let place = QueryPlace(
      sequence: sequence, query: query, position: query + extent.offset, keyCount: extent.keyCount)
    for rule in rules {
      let range = rule.visibleKeys(of: place)
      lower = max(lower, range.lowerBound)
      upper = min(upper, range.upperBound)
    }
    lower = min(lower, extent.keyCount)
    return lower..<max(lower, upper)
  }

  /// The same for queries that follow each other: query `queries.lowerBound + i` sees `begin[i]..<end[i]`.
  func findRanges(
    sequence: Int, queries: Range<Int>, begin: UnsafeMutablePointer<Int32>, end: UnsafeMutablePointer<Int32>
  ) {
    let extent = sequences.of(sequence)
    let keyCount = Int32(truncatingIfNeeded: extent.keyCount)
    begin.update(repeating: 0, count: queries.count)
    end.update(repeating: keyCount, count: queries.count)
    for rule in rules { Self.narrow(by: rule, sequence, queries, extent, begin, end) }
    for index in 0..<queries.count {
      begin[index] = min(begin[index], keyCount)
      end[index] = max(begin[index], end[index])
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
          sequence: sequence, query: query, position: query + extent.offset, keyCount: extent.keyCount))
      // Rules of a user may say anything; what lies beyond the keys is cut off.
      begin[index] = max(begin[index], Int32(clamping: range.lowerBound))
      end[index] = min(end[index], Int32(clamping: range.upperBound))
    }
  }

  /// Hides the keys from `count` on.
  mutating func limit(toFirst count: Int) {
    rules.append(FirstKeysRule(count: count))
  }
}
