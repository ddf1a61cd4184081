/// Tables of which all lines are known.
enum TextTable {
  /// Columns as wide as their widest cell; `words` are those whose cells stand to the left.
  static func aligned(_ lines: [[String]], words: [Int]) -> [String] {
    let columns = lines.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { line in
      let padded = line.enumerated().map { column, cell in
        let spaces = String(repeating: " ", count: widths[column] - cell.count)
        return words.contains(column) ? cell + spaces : spaces + cell
      }
      return padded.joined(separator: "  ")
    }
  }

  /// A table for a document.
  static func markdown(_ header: [String], _ lines: [[String]], words: [Int]) -> [String] {
    func joined(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    let rule = header.indices.map { words.contains($0) ? "---" : "--:" }
    return ([header, rule] + lines).map(joined)
  }
}
