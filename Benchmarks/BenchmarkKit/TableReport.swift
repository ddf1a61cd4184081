/// Columns for a terminal, lined up without knowing the rows to come.
struct TableReport: Report {
  let nameWidth: Int
  let kernelWidth: Int
  let facts: [(String, String)]

  var opening: [String] {
    let width = facts.map(\.0.count).max() ?? 0
    return facts.map { pad($0.0, width) + "  " + $0.1 } + ["", line(TableColumns.names)]
  }

  func lines(_ row: ResultRow) -> [String] { [line(TableColumns.cells(row))] }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] {
    let lines = caveats.facts.map { "\($0.0): \($0.1)" }
    return [""] + TableColumns.legend + (lines.isEmpty ? [] : [""] + lines)
  }

  private func line(_ cells: [String]) -> String {
    let widths = [max(nameWidth, 5), 5, kernelWidth, 8, 15, 7, 7, 7, 8, 9, 9, 0]
    let padded = zip(cells, widths).enumerated().map { column, entry in
      // Words to the left, numbers to the right.
      column < 3 || column == cells.count - 1 ? pad(entry.0, entry.1) : pad(entry.0, -entry.1)
    }
    return padded.joined(separator: "  ")
  }

  /// To a width; a negative one moves the text to the right.
  private func pad(_ text: String, _ width: Int) -> String {
    let spaces = String(repeating: " ", count: max(0, abs(width) - text.count))
    return width < 0 ? spaces + text : text + spaces
  }
}

/// A table for a document.
struct MarkdownReport: Report {
  let facts: [(String, String)]

  var opening: [String] {
    facts.map { TextTable.item("\($0.0): \($0.1)") }
      + [""] + TextTable.heading(TableColumns.names, words: Array(0..<3))
  }

  func lines(_ row: ResultRow) -> [String] { [TextTable.row(TableColumns.cells(row))] }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] {
    [""] + (TableColumns.legend + caveats.facts.map { "\($0.0): \($0.1)" }).map(TextTable.item)
  }
}
