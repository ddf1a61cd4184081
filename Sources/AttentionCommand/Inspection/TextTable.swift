/// Rows of text under headings, in columns as wide as what stands in them.
struct TextTable {
  /// Where a column's text stands.
  enum Alignment {
    case left
    case right
  }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// A table with one heading a column.
  init(_ columns: [(heading: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    rows = [columns.map(\.heading)]
  }

  /// Adds a row of as many cells as there are columns.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == alignments.count, "\(cells.count) cells for \(alignments.count) columns")
    rows.append(cells)
  }

  /// The lines, two spaces between columns, none at the end of a line.
  var lines: [String] {
    let widths = alignments.indices.map { column in rows.map { $0[column].columns }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.columns)
        line += column == 0 ? "" : "  "
        line += alignments[column] == .left ? cell + padding : padding + cell
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
