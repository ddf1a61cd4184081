import Foundation

/// Column names, then one line a result, as RFC 4180 has it (with plain line feeds).
struct CSVReport: Report {
  var opening: [String] {
    let empty = ResultRow(
      name: "", kernel: "", dtype: "", threads: 0, work: .attention(usefulFlops: 0, keyValueBytes: 0))
    return [empty.fields.map(\.name).joined(separator: ",")]
  }

  func lines(_ row: ResultRow) -> [String] {
    let cells = row.fields.map { field in
      switch field.value {
      case .text(let text): quoteIfNeeded(text)
      case .count(let count): String(count)
      case .number(let number): digits(number)
      case .missing: ""
      }
    }
    return [cells.joined(separator: ",")]
  }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] { [] }

  private func quoteIfNeeded(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}

/// One JSON object a line; what there is nothing to tell of is `null`.
struct JSONLinesReport: Report {
  var opening: [String] { [] }

  func lines(_ row: ResultRow) -> [String] {
    [JSONValue.object(row.fields.map { ($0.name, JSONValue($0.value)) }).line]
  }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] { [] }
}
