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

  /// Hides the keys from `count` on.
  mutating func limit(toFirst count: Int) {
    rules.append(FirstKeysRule(count: count))
  }
}
