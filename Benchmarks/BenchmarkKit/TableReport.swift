/// Columns for a terminal, lined up without knowing the rows to come.
struct TableReport: Report {
  let nameWidth: Int
  let facts: [(String, String)]

  var opening: [String] {
    let width = facts.map(\.0.count).max() ?? 0
    return facts.map { pad($0.0, width) + "  " + $0.1 } + ["", line(TableColumns.names)]
  }

  func lines(_ row: ResultRow) -> [String] { [line(TableColumns.cells(row))] }

  func closing(_ rows: [ResultRow], noise: [String]) -> [String] {
    [""] + TableColumns.legend + (noise.isEmpty ? [] : [""] + noise.map { "noise: \($0)" })
  }

  private func line(_ cells: [String]) -> String {
    let widths = [max(nameWidth, 5), 5, 15, 8, 15, 7, 7, 7, 8, 9, 9, 0]
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
    facts.map { "* \(escape($0.0)): \(escape($0.1))" }
      + ["", line(TableColumns.names), line(TableColumns.names.indices.map { $0 < 3 ? "---" : "--:" })]
  }

  func lines(_ row: ResultRow) -> [String] { [line(TableColumns.cells(row))] }

  func closing(_ rows: [ResultRow], noise: [String]) -> [String] {
    [""] + (TableColumns.legend + noise.map { "noise: \($0)" }).map { "* \(escape($0))" }
  }

  private func line(_ cells: [String]) -> String {
    "| " + cells.map(escape).joined(separator: " | ") + " |"
  }

  private func escape(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "|", "~", "\\": result += "\\\(character)"
      case _ where character.isNewline: result += " "
      default: result.append(character)
      }
    }
  }
}
