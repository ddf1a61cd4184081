import Foundation

/// The forms that results can be printed in.
package enum ReportFormat: String, CaseIterable, Sendable {
  /// Columns for a terminal.
  case table
  /// A table for a document.
  case markdown
  /// One JSON document in google-benchmark's schema, with every round.
  case json

  /// The form of tables; nil where the report is for programs.
  package var table: TableFormat? {
    switch self {
    case .table: .table
    case .markdown: .markdown
    case .json: nil
    }
  }

  /// A report in this form, for shapes of these names, and for peers of these beside our kernels.
  package func report(names: [String], peers: [String] = [], context: RunContext) -> Report {
    // `chosen (decode)`; the calls of peers have up to 10 letters.
    let kernelWidth = peers.map { $0.count + 13 }.max() ?? 15
    let nameWidth = names.map(\.count).max() ?? 0
    return Report(
      table: table.map {
        TableReport($0, nameWidth: nameWidth, kernelWidth: kernelWidth, context: context)
      }, context: context)
  }
}

/// Turns results into text: a table a result at a time, so that each is seen as soon as it is there, and JSON in the end.
package struct Report {
  let table: TableReport?
  let context: RunContext

  /// Lines before the first result.
  package var opening: [String] { table?.opening ?? [] }

  /// The lines of one result.
  package func lines(_ row: ResultRow) -> [String] { table.map { [$0.line(row)] } ?? [] }

  /// Lines after the last result.
  ///
  /// - Parameters:
  ///   - rows: all results.
  ///   - caveats: what a reader must know of them.
  package func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] {
    table?.closing(caveats) ?? jsonLines(rows, context, caveats)
  }
}

/// Three significant digits, so that microseconds can be read where milliseconds are shown; with an exponent only where the number
/// is very large or small.
package func short(_ value: Double) -> String {
  if value == 0 { return "0" }
  guard 1e-4..<1e5 ~= value.magnitude else { return String(format: "%.1e", value) }
  let digits = 2 - Int(log10(value.magnitude).rounded(.down))
  return String(format: "%.\(max(digits, 0))f", value)
}
