import ArgumentParser

/// Indices chosen on a command line: `all`, or numbers and ranges with commas between them, `3`, `0,5` or `8...11,20..<25`.
struct IndexSelection: ExpressibleByArgument, Equatable {
  /// The ranges as given; nil for all.
  private let ranges: [ClosedRange<Int>]?

  /// Every index.
  static let all = IndexSelection(ranges: nil)

  private init(ranges: [ClosedRange<Int>]?) { self.ranges = ranges }

  init?(argument: String) {
    if argument == "all" {
      ranges = nil
      return
    }
    var ranges: [ClosedRange<Int>] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = Self.range(part) else { return nil }
      ranges.append(range)
    }
    self.ranges = ranges
  }

  /// The indices, as ranges: there may be as many of them as an axis of a file is long.
  ///
  /// - Throws: ``CaseError`` where one is not below `count`.
  func indices(below count: Int, flag: String, of what: String) throws(CaseError) -> RangeSet<Int> {
    guard let ranges else { return RangeSet(0..<count) }
    for range in ranges where range.upperBound >= count {
      throw CaseError(
        flag,
        count == 0
          ? "\(range.upperBound) given, but the case has no \(what)"
          : "\(range.upperBound) given, expected \(what) from 0 to \(count - 1)")
    }
    return RangeSet(ranges.map { Range($0) })
  }

  /// `I`, `I..<J` or `I...J`; neither may be empty.
  private static func range(_ text: Substring) -> ClosedRange<Int>? {
    if let index = index(text) { return index...index }
    for (separator, isClosed) in [("..<", false), ("...", true)] {
      let ends = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
      guard ends.count == 2, let first = index(ends[0]), let end = index(ends[1]) else { continue }
      let last = isClosed ? end : end - 1
      return first <= last ? first...last : nil
    }
    return nil
  }

  /// Digits only: `Int` would take signs too.
  private static func index(_ text: some StringProtocol) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
  }
}

extension RangeSet<Int> {
  /// How many indices there are.
  var memberCount: Int { ranges.reduce(0) { $0 + $1.count } }

  /// The indices in ascending order, each once.
  var members: [Int] { Array(ranges.joined()) }
}
