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

  /// The indices in ascending order, each once.
  ///
  /// - Throws: ``CaseError`` where one is not below `count`.
  func indices(below count: Int, flag: String, of what: String) throws(CaseError) -> [Int] {
    guard let ranges else { return Array(0..<count) }
    for range in ranges where range.upperBound >= count {
      throw CaseError(
        flag,
        count == 0
          ? "\(range.upperBound) given, but the case has no \(what)"
          : "\(range.upperBound) given, expected \(what) from 0 to \(count - 1)")
    }
    // All are below count now, so that the set is no larger than the case.
    return Set(ranges.flatMap { $0 }).sorted()
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

/// Runs of neighbours in ascending indices, so that they can be worked on as ranges.
func contiguousRuns(of indices: [Int]) -> [Range<Int>] {
  var runs: [Range<Int>] = []
  for index in indices {
    if let last = runs.last, last.upperBound == index {
      runs[runs.count - 1] = last.lowerBound..<index + 1
    } else {
      runs.append(index..<index + 1)
    }
  }
  return runs
}
