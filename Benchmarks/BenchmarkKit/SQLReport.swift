import Foundation

/// Statements that put each result into a table of SQLite, with what it was measured on beside it.
struct SQLReport: Report {
  let context: RunContext

  var opening: [String] {
    let empty = ResultRow(
      name: "", kernel: "", dtype: "", threads: 0, work: .attention(usefulFlops: 0, keyValueBytes: 0))
    // In quotes, since "limit" is a word of the language.
    let columns = columns(of: empty).map { "  \"\($0.name)\" \(Self.type(of: $0.name))" }
    return ["CREATE TABLE IF NOT EXISTS attention_bench (", columns.joined(separator: ",\n"), ");", ""]
  }

  func lines(_ row: ResultRow) -> [String] {
    let columns = columns(of: row)
    // By name: a table that an older release made and that lacks a column must not take values for others.
    let names = columns.map { "\"\($0.name)\"" }.joined(separator: ", ")
    let values = columns.map { Self.literal($0.value) }.joined(separator: ", ")
    return ["INSERT INTO attention_bench (\(names)) VALUES (\(values));"]
  }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] { [] }

  private func columns(of row: ResultRow) -> [(name: String, value: Field)] {
    func text(_ text: String?) -> Field { text.map { .text($0) } ?? .missing }
    let machine = context.machine
    let environment = context.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return [
      ("date", .text(context.date)), ("host_name", .text(machine.hostName)),
      ("git_revision", text(context.revision)), ("swift_version", .text(context.swift)),
      ("cpu_model", .text(machine.processor)), ("num_cpus", .count(machine.processorCount)),
      ("kernel_release", .text(machine.kernel)), ("governor", text(machine.governor)),
      ("cgroup_cpu_quota", Field(context.quota)), ("openblas_version", .text(context.openBLAS)),
      ("openblas_core", .text(context.openBLASCore)), ("kernel_set", .text(context.kernelSet)),
      ("environment", .text(environment.joined(separator: " "))), ("seed", .text(String(context.seed))),
      // Of an engine that is not the program's own: its release.
      ("engine_version", text(context.engines[row.kernel])),
    ] + row.fields
  }

  private static let counts: Set = [
    "num_cpus", "threads", "rounds", "batch", "query_heads", "key_value_heads", "queries", "keys", "head_dim",
    "value_dim", "scaled_from_pairs",
  ]
  private static let texts: Set = [
    "date", "host_name", "git_revision", "swift_version", "cpu_model", "kernel_release", "governor",
    "openblas_version", "openblas_core", "kernel_set", "environment", "seed", "engine_version", "name",
    "kernel", "plan",
    "dtype",
    "mask", "limit", "compared_with", "status", "reason",
  ]

  /// Numbers are real unless they count something.
  private static func type(of column: String) -> String {
    counts.contains(column) ? "INTEGER" : texts.contains(column) ? "TEXT" : "REAL"
  }

  private static func literal(_ value: Field) -> String {
    switch value {
    // A NUL would end the statement for SQLite.
    case .text(let text):
      "'" + text.replacingOccurrences(of: "\0", with: "").replacingOccurrences(of: "'", with: "''") + "'"
    case .count(let count): String(count)
    case .number(let number): digits(number)
    case .missing: "NULL"
    }
  }
}
