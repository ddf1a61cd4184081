/// The range rules of a mask, resolved for one problem: which keys a query's range holds.
struct KeyVisibility: Sendable {
  private var rules: [KeyRangeRule]
  private let offsets: [Int]
  private let keyCount: Int

  /// Whether every query sees every key, as far as ranges say.
  var isUnrestricted: Bool { rules.isEmpty }

  /// Resolves a mask's rules and its alignment, and checks that they fit the sizes.
  init(_ mask: AttentionMask, _ sizes: AttentionSizes) throws(AttentionError) {
    self.rules = []
    self.keyCount = sizes.keyCount
    var lengths = [Int](repeating: sizes.keyCount, count: sizes.batch)
    for rule in mask.rangeRules {
      rules.append(try rule.checked(sizes))
      if case .keyLengths(let given) = rule {
        for sequence in 0..<sizes.batch { lengths[sequence] = min(lengths[sequence], given[sequence]) }
      }
    }
    self.offsets = try Self.offsets(mask.alignments, lengths, sizes)
  }

  /// The keys that query `query` of sequence `sequence` may see; empty ranges lie within `0...Tk` too.
  func visibleKeys(sequence: Int, query: Int) -> Range<Int> {
    var lower = 0
    var upper = keyCount
    for rule in rules {
      let range = rule.visibleKeys(
        position: query + offsets[sequence], sequence: sequence, keyCount: keyCount)
      lower = max(lower, range.lowerBound)
      upper = min(upper, range.upperBound)
    }
    return lower..<max(lower, upper)
  }

  /// Hides the keys from `count` on.
  mutating func limit(toFirst count: Int) {
    rules.append(.first(count))
  }

  private static func offsets(
    _ alignments: [QueryAlignment], _ lengths: [Int], _ sizes: AttentionSizes
  ) throws(AttentionError) -> [Int] {
    let alignment = alignments.first ?? .bottomRight
    for other in alignments where other != alignment {
      throw AttentionError(
        "mask", "rules aligned \(alignment) and \(other) given, expected one alignment for all rules")
    }
    switch alignment {
    case .bottomRight:
      return lengths.map { $0 - sizes.queryCount }
    case .topLeft:
      return lengths.map { _ in 0 }
    case .offset(let offset):
      return try checked(lengths.map { _ in offset })
    case .offsets(let offsets):
      guard offsets.count == sizes.batch else {
        throw AttentionError("mask", "\(offsets.count) offsets given for \(sizes.batch) sequences")
      }
      return try checked(offsets)
    }
  }

  private static func checked(_ offsets: [Int]) throws(AttentionError) -> [Int] {
    for offset in offsets where Int32(exactly: offset) == nil {
      throw AttentionError("mask", "an offset of \(offset) given, expected one that fits 32 bits")
    }
    return offsets
  }
}
