/// What a sweep can go through: sizes of a shape, what hides keys, and the number of threads.
package enum SweepField: String, CaseIterable, Sendable {
  case queries, keys, batch, threads, mask, window
  case queryHeads = "query-heads"
  case keyValueHeads = "key-value-heads"
  case headDim = "head-dim"
  case valueDim = "value-dim"
}

/// One value of a swept field.
package enum SweepValue: Sendable, Hashable, CustomStringConvertible {
  /// A size, or a number of threads.
  case count(Int)
  /// A mask's name, or `none` for no window.
  case word(String)

  package var description: String {
    switch self {
    case .count(let count): String(count)
    case .word(let word): word
    }
  }
}

/// Fields and the values that each goes through, all combined with all: `queries=128..8192*2 head-dim=64,128`.
package struct Sweep: Sendable {
  /// More shapes than this are a mistake: they would take hours.
  package static var largestCount: Int { 1000 }

  /// In the order given, each once.
  package private(set) var fields: [(field: SweepField, values: [SweepValue])] = []

  /// The sweep of these words, `field=values` each.
  ///
  /// Values have commas between them. Each is a number, a range `a..b` (of all numbers), `a..b*f` (times `f` until `b`) or `a..b+s` (plus `s`);
  /// `N` as a number of threads stands for `allThreads`. Of `mask` they are names, and `window` may be `none`.
  package init(_ words: [String], allThreads: Int) throws(BenchmarkError) {
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[1].isEmpty else {
        throw BenchmarkError("\(quoted(word)) is no field=values, such as queries=128..8192*2")
      }
      let (name, text) = (String(parts[0]), String(parts[1]))
      guard let field = SweepField(rawValue: name) else {
        throw BenchmarkError("field \(unknown(name, among: SweepField.allCases.map(\.rawValue)))")
      }
      guard !fields.contains(where: { $0.field == field }) else {
        throw BenchmarkError("\(name) is given twice")
      }
      do {
        fields.append((field, try SweepValues(field: field, allThreads: allThreads).parse(text)))
      } catch {
        throw BenchmarkError("\(name)=\(quoted(text)): \(error)")
      }
    }
    guard !fields.isEmpty else { throw BenchmarkError("no field to go through") }
    guard count <= Self.largestCount else {
      throw BenchmarkError("more than \(Self.largestCount) combinations of values")
    }
  }

  /// How many combinations there are, or one more than ``largestCount``.
  private var count: Int {
    fields.reduce(1) { min($0 * $1.values.count, Self.largestCount + 1) }
  }
}

/// Reads the values of one field.
private struct SweepValues {
  let field: SweepField
  let allThreads: Int

  /// In order; a value that comes twice counts once.
  func parse(_ text: String) throws(BenchmarkError) -> [SweepValue] {
    var values: [SweepValue] = []
    var known: Set<SweepValue> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      for value in try one(String(part)) where known.insert(value).inserted { values.append(value) }
      guard values.count <= Sweep.largestCount else {
        throw BenchmarkError("more than \(Sweep.largestCount) values")
      }
    }
    return values
  }

  private func one(_ text: String) throws(BenchmarkError) -> [SweepValue] {
    switch field {
    case .mask:
      let _: BenchmarkShape.Mask.Kind = try choice(text)
      return [.word(text)]
    case .window where text == "none":
      return [.word(text)]
    case .queries, .keys, .batch, .threads, .window, .queryHeads, .keyValueHeads, .headDim, .valueDim:
      return try numbers(text).map { .count($0) }
    }
  }

  private func numbers(_ text: String) throws(BenchmarkError) -> [Int] {
    guard let dots = text.firstRange(of: "..") else { return [try number(text[...])] }
    let first = try number(text[..<dots.lowerBound])
    var end = text[dots.upperBound...]
    var step = 1
    var isFactor = false
    if let sign = end.firstIndex(where: { $0 == "*" || $0 == "+" }) {
      isFactor = end[sign] == "*"
      step = try number(end[end.index(after: sign)...])
      end = end[..<sign]
    }
    let last = try number(end)
    guard first <= last else { throw BenchmarkError("\(first) is more than \(last)") }
    guard step >= (isFactor ? 2 : 1), !isFactor || first > 0 else {
      throw BenchmarkError("the range goes nowhere, expected *2 or more, or +1 or more")
    }
    var numbers: [Int] = []
    // No overflow: both are below 2³¹.
    var next = first
    while next <= last {
      guard numbers.count < Sweep.largestCount else {
        throw BenchmarkError("more than \(Sweep.largestCount) values")
      }
      numbers.append(next)
      next = isFactor ? next * step : next + step
    }
    return numbers
  }

  private func number(_ text: Substring) throws(BenchmarkError) -> Int {
    if field == .threads && text == "N" { return allThreads }
    let least = field == .window ? 0 : 1
    guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
      let number = Int(text), least...Int(Int32.max) ~= number
    else {
      let words = field == .window ? ", or none" : field == .threads ? ", or N for all" : ""
      throw BenchmarkError("\(quoted(String(text))) is no whole number of \(least) to \(Int32.max)\(words)")
    }
    return number
  }
}
