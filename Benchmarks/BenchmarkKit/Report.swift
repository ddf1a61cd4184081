import Foundation

/// The forms that results can be printed in.
package enum ReportFormat: String, CaseIterable, Sendable {
  /// Columns for a terminal.
  case table
  /// A table for a document.
  case markdown
  /// One line of column names, one line a result.
  case csv
  /// One JSON object a line.
  case jsonl
  /// One JSON document in google-benchmark's schema, with every round.
  case json
  /// SQLite's statements: a table and one row a result.
  case sql

  /// Whether the form itself tells about the machine and the caveats.
  package var tellsOfMachine: Bool {
    switch self {
    case .table, .markdown, .json: true
    case .csv, .jsonl, .sql: false
    }
  }

  /// A report in this form, for shapes of these names, and for peers of these beside our kernels.
  package func report(names: [String], peers: [String] = [], context: RunContext) -> any Report {
    switch self {
    case .table:
      // `chosen (decode)`; the calls of peers have up to 10 letters.
      TableReport(
        nameWidth: names.map(\.count).max() ?? 0, kernelWidth: peers.map { $0.count + 13 }.max() ?? 15,
        facts: context.facts)
    case .markdown: MarkdownReport(facts: context.facts)
    case .csv: CSVReport()
    case .jsonl: JSONLinesReport()
    case .json: JSONReport(context: context)
    case .sql: SQLReport(context: context)
    }
  }
}

/// Turns results into text, a result at a time where the form allows it, so that each is seen as soon as it is there.
package protocol Report {
  /// Lines before the first result.
  var opening: [String] { get }
  /// The lines of one result.
  func lines(_ row: ResultRow) -> [String]
  /// Lines after the last result.
  ///
  /// - Parameters:
  ///   - rows: all results.
  ///   - caveats: what a reader must know of them.
  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String]
}

/// Three significant digits, so that microseconds can be read where milliseconds are shown; with an exponent only where the number
/// is very large or small.
package func short(_ value: Double) -> String {
  if value == 0 { return "0" }
  guard 1e-4..<1e5 ~= value.magnitude else { return String(format: "%.1e", value) }
  let digits = 2 - Int(log10(value.magnitude).rounded(.down))
  return String(format: "%.\(max(digits, 0))f", value)
}

/// What the tables for people show of a result.
enum TableColumns {
  static let names = [
    "shape", "dtype", "kernel", "ms", "p20-p80", "GF/s", "GB/s", "x naive", "vs plain", "of limit",
    "max error", "status",
  ]

  static func cells(_ row: ResultRow) -> [String] {
    let approximate = row.scaledFromPairs == nil ? "" : "~"
    let milliseconds = row.seconds?.scaled(by: 1e3)
    let status =
      switch row.status {
      case .ok: "ok"
      case .failed(let reason): "FAILED: \(reason)"
      case .skipped(let reason): "skipped: \(reason)"
      }
    return [
      row.name, row.dtype, row.kernel + (row.plan.map { " (\($0))" } ?? ""),
      milliseconds.map { approximate + short($0.median) } ?? "",
      milliseconds.map { row.rounds == 1 ? "once" : "\(short($0.p20))-\(short($0.p80))" } ?? "",
      row.flopsPerSecond.map { approximate + short($0 / 1e9) } ?? "",
      (row.readBytesPerSecond ?? row.streamedBytesPerSecond).map { approximate + short($0 / 1e9) } ?? "",
      row.speedup.map { (row.isSpeedupScaled ? "~" : "") + short($0) } ?? "",
      row.costOverPlain.map { String(format: "%.2f", $0) } ?? "",
      row.share.map { String(format: "%.0f%% ", 100 * $0.fraction) + $0.limit } ?? "",
      row.maxError.map { String(format: "%.1e", $0) } ?? "", status,
    ]
  }

  static let legend = [
    "chosen (K): the library's own choice, kernel K for most of the work; gemm, fused, decode: that kernel, forced.",
    "naive: three plain steps in Swift loops, one thread, no SIMD by hand. ~: measured on some (sequence, head) pairs, scaled.",
    "GF/s counts visible (query, key) pairs only. GB/s counts each key and value that some query sees once; "
      + "for rotary, each element once read and once written.",
    "vs plain: time for a useful operation over that of the plain shape it is compared with, in the same rounds; "
      + "1.07 is 7 % dearer.",
    "of limit: the larger share of the arithmetic peak (fma; bf16: of its dot product, where the CPU has one) and of the "
      + "read rate from a working set of this size, both measured in this run on all threads; r+w: of the rate at which "
      + "such a working set is read and written in place.",
    "max error: against a Float64 oracle on sampled rows; out of tolerance is FAILED.",
  ]
}
