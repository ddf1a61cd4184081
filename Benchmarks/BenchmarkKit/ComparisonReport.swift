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

extension Comparison {
  /// The comparison as text, without a line feed at its end.
  package func text(_ format: ComparisonFormat) -> String {
    switch format {
    case .table: paragraphs(table: Self.columns(cells), line: { $0 })
    case .markdown: paragraphs(table: Self.markdown(cells), line: { "* " + Self.escaped($0) })
    case .json: json
    }
  }

  private func paragraphs(table: [String], line: (String) -> String) -> String {
    let parts = [warnings.map(line), table, summary.map(line)].filter { !$0.isEmpty }
    return parts.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  /// What follows from the rows, and how to read them.
  private var summary: [String] {
    let ours = rows.filter(\.isOurs)
    func count(_ verdict: RowComparison.Verdict) -> Int { ours.count { $0.verdict == verdict } }
    let percent = String(format: "%g", (threshold - 1) * 100)
    var lines: [String] = []
    if let geometricMean {
      lines.append(
        "ours: \(String(format: "%.3f", geometricMean)) in the geometric mean; \(count(.faster)) faster, "
          + "\(count(.slower)) slower, \(count(.same)) the same, \(count(.failed)) failed")
    }
    if count(.unsettled) > 0 {
      lines.append(
        "\(count(.unsettled)) unsettled: the process got another share of the CPUs, because of a neighbour or of what it did "
          + "itself. Measure again.")
    }
    lines.append(
      "slower: by more than \(percent) %, and by more than the noise: the whole interval lies above 1 and above machine."
    )
    let noise = [runNoise, Self.memoryNoise].map { String(format: "%.0f %%", expm1($0) * 100) }
    lines.append(
      "interval: a bootstrap of the rounds, at 95 % for all our rows together, and what a run's moment does: up to "
        + "\(noise[0]), \(noise[1]) where memory bounds.")
    lines.append(
      "machine: ratios that follow from the row's limits and from its neighbours in the same rounds, which do not count as ours."
    )
    return lines
  }
}

// MARK: - Tables

extension Comparison {
  private var cells: [[String]] {
    [["row", "OLD ms", "NEW ms", "ratio", "interval", "machine", "verdict"]]
      + rows.map { row in
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

  /// Words to the left, numbers to the right.
  private static func isNumeric(_ column: Int) -> Bool { (1...5).contains(column) }

  private static func columns(_ rows: [[String]]) -> [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let padded = row.enumerated().map { column, cell in
        let spaces = String(repeating: " ", count: widths[column] - cell.count)
        if column == row.count - 1 { return cell }
        return isNumeric(column) ? spaces + cell : cell + spaces
      }
      return padded.joined(separator: "  ")
    }
  }

  private static func markdown(_ rows: [[String]]) -> [String] {
    let lines = rows.map { "| " + $0.map(escaped).joined(separator: " | ") + " |" }
    let rule = rows[0].indices.map { isNumeric($0) ? "--:" : "---" }.joined(separator: " | ")
    return [lines[0], "| \(rule) |"] + lines.dropFirst()
  }

  /// Text that Markdown takes as it is, and no renderer as HTML.
  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      if #"\`*_|~<>[]&"#.contains(character) { result.append("\\") }
      result.append(character)
    }
  }
}

// MARK: - JSON

extension Comparison {
  private struct Document: Encodable {
    let warnings: [String]
    let rows: [Row]
    let geometricMean: Double?
    let threshold: Double
    let runNoise: Double
    let hasRegression: Bool

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
    }
  }

  private var json: String {
    func ends(_ range: ClosedRange<Double>?) -> [Double]? { range.map { [$0.lowerBound, $0.upperBound] } }
    let document = Document(
      warnings: warnings,
      rows: rows.map { row in
        Document.Row(
          name: row.name, isOurs: row.isOurs, verdict: row.verdict.rawValue, note: row.note,
          oldSeconds: row.change?.old, newSeconds: row.change?.new, ratio: row.change?.ratio,
          interval: ends(row.change?.interval), machine: ends(row.change?.machine))
      },
      geometricMean: geometricMean, threshold: threshold, runNoise: runNoise, hasRegression: hasRegression)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Every number is the ratio or the logarithm of possible times.
    guard let data = try? encoder.encode(document) else { preconditionFailure("a number is not finite") }
    return String(decoding: data, as: UTF8.self)
  }
}
