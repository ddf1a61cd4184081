import Foundation

/// The forms that a comparison can be printed in.
package enum ComparisonFormat: String, CaseIterable, Sendable {
  /// Columns for a terminal.
  case table
  /// A table for a document.
  case markdown
  /// One JSON object.
  case json
}

extension RepeatedComparison {
  /// The comparison as text, without a line feed at its end.
  package func text(_ format: ComparisonFormat) -> String {
    switch format {
    case .table: paragraphs(table: { TextTable.aligned([$0] + $1, words: $2) }, line: { $0 })
    case .markdown: paragraphs(table: TextTable.markdown, line: TextTable.item)
    case .json: json
    }
  }

  private func paragraphs(
    table: (_ header: [String], _ lines: [[String]], _ words: [Int]) -> [String], line: (String) -> String
  ) -> String {
    var parts: [[String]] = []
    for run in runs {
      if runs.count > 1 { parts.append([line("NEW is \(onOneLine(run.path))")]) }
      parts += [
        run.comparison.warnings.map(line),
        table(Comparison.header, run.comparison.cells, Comparison.words),
        run.comparison.summary.map(line),
      ]
    }
    if runs.count > 1 { parts.append([line(verdict)]) }
    parts.append(runs[0].comparison.legend.map(line))
    return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  private var verdict: String {
    let words = regressions.isEmpty ? "none" : regressions.joined(separator: ", ")
    return "slower in every NEW, or failed in one: \(words)"
  }
}

extension Comparison {
  /// What follows from the rows.
  fileprivate var summary: [String] {
    let ours = rows.filter(\.isOurs)
    func count(_ verdict: RowComparison.Verdict) -> Int { ours.count { $0.verdict == verdict } }
    var lines: [String] = []
    if let geometricMean {
      lines.append(
        "ours: \(String(format: "%.3f", geometricMean)) in the geometric mean; \(count(.faster)) faster, "
          + "\(count(.slower)) slower, \(count(.same)) the same, \(count(.failed)) failed")
    }
    if isSlowerAltogether { lines.append("\(RepeatedComparison.altogether): slower") }
    if count(.unsettled) > 0 {
      lines.append(
        "\(count(.unsettled)) unsettled: slower or faster by the clock, but of too few rounds, or while the process got another "
          + "share of the CPUs, because of a neighbour or of what it did itself. Measure again, for longer where rounds are few."
      )
    }
    let noise = [Self.runNoise, Self.placementNoise].map { String(format: "%.0f %%", expm1($0) * 100) }
    lines.append(
      "what a run's moment does: up to \(noise[0]), \(noise[1]) where memory bounds and for calls below 0.1 ms."
    )
    return lines
  }

  /// How to read them.
  fileprivate var legend: [String] {
    let percent = String(format: "%g", (threshold - 1) * 100)
    return [
      "slower: by more than \(percent) %, and by more than the noise: the whole interval lies above 1 and above machine.",
      "interval: a bootstrap of the rounds, at 95 % for all our rows together, and what a run's moment does.",
      "machine: ratios that follow from the row's limits and from its neighbours in the same rounds, which do not count as ours.",
    ]
  }
}

// MARK: - Tables

extension Comparison {
  fileprivate static let header = ["row", "OLD ms", "NEW ms", "ratio", "interval", "machine", "verdict"]
  /// Columns that stand to the left.
  fileprivate static let words = [0, 6]

  fileprivate var cells: [[String]] {
    rows.map { row in
      func number(_ value: Double) -> String { String(format: "%.2f", value) }
      func range(_ range: ClosedRange<Double>) -> String {
        "\(number(range.lowerBound))-\(number(range.upperBound))"
      }
      let change = row.change
      return [
        row.name, change.map { short($0.old * 1e3) } ?? "", change.map { short($0.new * 1e3) } ?? "",
        change.map { String(format: "%.3f", $0.ratio) } ?? "", change.map { range($0.interval) } ?? "",
        change.map { range($0.machine) } ?? "",
        row.verdict.rawValue + (row.isOurs ? "" : " (not ours)") + (row.note.map { ": \($0)" } ?? ""),
      ]
    }
  }
}

// MARK: - JSON

/// What `json` says of all.
private struct Document: Encodable {
  let comparisons: [Run]
  let regressions: [String]
  let hasRegression: Bool

  /// A newer run.
  struct Run: Encodable {
    let new: String
    let warnings: [String]
    let rows: [Row]
    let geometricMean: Double?
    let threshold: Double
    let runNoise: Double

    struct Row: Encodable {
      let name: String
      let isOurs: Bool
      let verdict: String
      let note: String?
      let oldSeconds: Double?
      let newSeconds: Double?
      let ratio: Double?
      let interval: [Double]?
      let machine: [Double]?

      init(_ row: RowComparison) {
        func ends(_ range: ClosedRange<Double>) -> [Double] { [range.lowerBound, range.upperBound] }
        name = row.name
        isOurs = row.isOurs
        verdict = row.verdict.rawValue
        note = row.note
        oldSeconds = row.change?.old
        newSeconds = row.change?.new
        ratio = row.change?.ratio
        interval = row.change.map { ends($0.interval) }
        machine = row.change.map { ends($0.machine) }
      }
    }

    init(path: String, _ comparison: Comparison) {
      new = path
      warnings = comparison.warnings
      rows = comparison.rows.map(Row.init)
      geometricMean = comparison.geometricMean
      threshold = comparison.threshold
      runNoise = Comparison.runNoise
    }
  }
}

extension RepeatedComparison {
  private var json: String {
    let document = Document(
      comparisons: runs.map { Document.Run(path: $0.path, $0.comparison) }, regressions: regressions,
      hasRegression: !regressions.isEmpty)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Every number is the ratio or the logarithm of possible times.
    guard let data = try? encoder.encode(document) else { preconditionFailure("a number is not finite") }
    return String(decoding: data, as: UTF8.self)
  }
}
