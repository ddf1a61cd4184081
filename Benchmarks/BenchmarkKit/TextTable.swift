/// The forms of a table.
package enum TableFormat: String, CaseIterable, Sendable {
  /// Columns for a terminal.
  case table
  /// For a document.
  case markdown
}

/// A table for people, whose lines can be printed before all are known.
package struct TextTable {
  private let format: TableFormat
  private let header: [String]
  /// Columns of words, which stand to the left; numbers stand to the right.
  private let words: Set<Int>
  private let widths: [Int]

  /// A table of these lines, whose columns are as wide as their widest cell.
  package init(_ format: TableFormat, _ header: [String], words: Set<Int>, rows: [[String]]) {
    let widths = header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    self.init(format, header, words: words, widths: widths)
  }

  /// A table of lines to come, whose columns are as wide as this and as the header.
  init(_ format: TableFormat, _ header: [String], words: Set<Int>, widths: [Int]) {
    self.format = format
    self.header = header
    self.words = words
    self.widths = zip(header, widths).map { max($0.count, $1) }
  }

  /// The lines before the first.
  package var heading: [String] {
    let rule = header.indices.map { words.contains($0) ? "---" : "--:" }
    return [line(header)] + (format == .markdown ? ["| \(rule.joined(separator: " | ")) |"] : [])
  }

  package func line(_ cells: [String]) -> String {
    switch format {
    case .markdown: return "| " + cells.map(Self.escaped).joined(separator: " | ") + " |"
    case .table:
      let padded = cells.enumerated().map { column, cell in
        let spaces = String(repeating: " ", count: max(0, widths[column] - cell.count))
        if !words.contains(column) { return spaces + cell }
        return column == cells.count - 1 ? cell : cell + spaces
      }
      return padded.joined(separator: "  ")
    }
  }

  /// A line before or after the table.
  package func item(_ text: String) -> String {
    switch format {
    case .markdown: "* " + Self.escaped(text)
    case .table: text
    }
  }

  /// Text that Markdown takes as it is, and no renderer as HTML: engines and files word some of it.
  private static func escaped(_ text: String) -> String {
    onOneLine(text).reduce(into: "") { result, character in
      if #"\`*_|~<>[]&"#.contains(character) { result.append("\\") }
      result.append(character)
    }
  }
}
