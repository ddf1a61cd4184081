import Foundation

/// Two runs side by side. What times from different hours say of code is for their reader to judge: `measure --against` takes both
/// in the same rounds.
package struct Comparison {
  /// A row of either file, the newer one's order first.
  private let rows: [(name: String, old: ResultFile.Row?, new: ResultFile.Row?)]
  private let warnings: [String]

  /// The rows of these names, or of shapes of these names; all where nil.
  ///
  /// - Throws: ``BenchmarkError`` where no row is in both files.
  package init(old: ResultFile, new: ResultFile, only wanted: Set<String>? = nil) throws(BenchmarkError) {
    func named(_ file: ResultFile) -> [String: ResultFile.Row] {
      let rows = file.rows.filter { wanted?.isDisjoint(with: [$0.name, $0.shape]) != true }
      return Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0) })
    }
    let (before, after) = (named(old), named(new))
    guard before.keys.contains(where: { after[$0] != nil }) else {
      throw BenchmarkError("no row is in both files")
    }
    let names = new.rows.map(\.name) + old.rows.map(\.name).filter { after[$0] == nil }
    rows = names.filter { before[$0] != nil || after[$0] != nil }.map { ($0, before[$0], after[$0]) }
    warnings = ResultContext.warnings(old: old.context, new: new.context)
  }

  /// Warnings, then a line for each row.
  package func lines(_ format: TableFormat) -> [String] {
    let cells = rows.map { row in
      let ratio = row.old?.seconds.flatMap { old in row.new?.seconds.map { old / $0 } }
      return [
        row.name, Self.cell(row.old), Self.cell(row.new), ratio.map { String(format: "%.3f", $0) } ?? "",
      ]
    }
    let table = TextTable(format, ["row", "OLD ms", "NEW ms", "OLD/NEW"], words: [0], rows: cells)
    return (warnings.isEmpty ? [] : warnings.map(table.item) + [""]) + table.heading + cells.map(table.line)
      + ["", table.item("OLD/NEW: the older median over the newer one; above 1 NEW is faster.")]
  }

  private static func cell(_ row: ResultFile.Row?) -> String {
    switch row?.outcome {
    case .seconds(let seconds): short(seconds * 1e3)
    case .failed: "failed"
    case .skipped: "skipped"
    case nil: ""
    }
  }
}
