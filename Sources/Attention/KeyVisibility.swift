/// The range rules of a mask, resolved for one problem: which keys a query's range holds.
struct KeyVisibility: Sendable {
  private var rules: [KeyRangeRule]
  private let offsets: Offsets
  private let keyCount: Int

  /// Whether every query sees every key, as far as ranges say.
  var isUnrestricted: Bool { rules.isEmpty }

  /// Resolves a mask's rules and its alignment, and checks that they fit the sizes.
  init(_ mask: AttentionMask, _ sizes: AttentionSizes) throws(AttentionError) {
    self.rules = []
    self.keyCount = sizes.keyCount
    var lengths: [Int]?
    for rule in mask.rangeRules {
      rules.append(try rule.checked(sizes))
      if case .keyLengths(let given) = rule {
        lengths = lengths.map { zip($0, given).map(min) } ?? given
      }
    }
    self.offsets = try Offsets(mask.alignments, lengths, sizes)
  }

  /// The keys that query `query` of sequence `sequence` may see; empty ranges lie within `0...Tk` too.
  func visibleKeys(sequence: Int, query: Int) -> Range<Int> {
    var lower = 0
    var upper = keyCount
    for rule in rules {
      let range = rule.visibleKeys(
        position: query + offsets.of(sequence), sequence: sequence, keyCount: keyCount)
      lower = max(lower, range.lowerBound)
      upper = min(upper, range.upperBound)
    }
    return lower..<max(lower, upper)
  }

  /// Hides the keys from `count` on.
  mutating func limit(toFirst count: Int) {
    rules.append(.first(count))
  }
}

/// Where query 0 of each sequence stands among the keys. No memory for each sequence where all are alike: a batch without
/// queries may be of any size.
private enum Offsets: Sendable {
  case same(Int)
  case each([Int])

  init(_ alignments: [QueryAlignment], _ lengths: [Int]?, _ sizes: AttentionSizes) throws(AttentionError) {
    let alignment = alignments.first ?? .bottomRight
    for other in alignments where other != alignment {
      throw AttentionError(
        "mask", "rules aligned \(alignment) and \(other) given, expected one alignment for all rules")
    }
    switch alignment {
    case .bottomRight:
      self =
        lengths.map { .each($0.map { $0 - sizes.queryCount }) } ?? .same(sizes.keyCount - sizes.queryCount)
    case .topLeft:
      self = .same(0)
    case .offset(let offset):
      try Self.check(offset)
      self = .same(offset)
    case .offsets(let offsets):
      guard offsets.count == sizes.batch else {
        throw AttentionError("mask", "\(offsets.count) offsets given for \(sizes.batch) sequences")
      }
      for offset in offsets { try Self.check(offset) }
      self = .each(offsets)
    }
  }

  func of(_ sequence: Int) -> Int {
    switch self {
    case .same(let offset): offset
    case .each(let offsets): offsets[sequence]
    }
  }

  private static func check(_ offset: Int) throws(AttentionError) {
    guard Int32(exactly: offset) != nil else {
      throw AttentionError("mask", "an offset of \(offset) given, expected one that fits 32 bits")
    }
  }
}
