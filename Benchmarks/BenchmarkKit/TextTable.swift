/// Tables of which all lines are known, and Markdown that takes any text.
enum TextTable {
  /// Columns as wide as their widest cell; `words` are those whose cells stand to the left.
  static func aligned(_ lines: [[String]], words: [Int]) -> [String] {
    let columns = lines.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { line in
      let padded = line.enumerated().map { column, cell in
        let spaces = String(repeating: " ", count: widths[column] - cell.count)
        if !words.contains(column) { return spaces + cell }
        return column == columns - 1 ? cell : cell + spaces
      }
      return padded.joined(separator: "  ")
    }
  }

  /// A table for a document.
  static func markdown(_ header: [String], _ lines: [[String]], words: [Int]) -> [String] {
    heading(header, words: words) + lines.map(row)
  }

  /// The first two lines of such a table.
  static func heading(_ header: [String], words: [Int]) -> [String] {
    let rule = header.indices.map { words.contains($0) ? "---" : "--:" }
    return [row(header), "| \(rule.joined(separator: " | ")) |"]
  }

  /// A line of such a table.
  static func row(_ cells: [String]) -> String { "| " + cells.map(escaped).joined(separator: " | ") + " |" }

  /// A line of a list in a document.
  static func item(_ text: String) -> String { "* " + escaped(text) }

  /// Text that Markdown takes as it is, and no renderer as HTML: engines and files word some of it.
  private static func escaped(_ text: String) -> String {
    onOneLine(text).reduce(into: "") { result, character in
      if #"\`*_|~<>[]&"#.contains(character) { result.append("\\") }
      result.append(character)
    }
  }
}
