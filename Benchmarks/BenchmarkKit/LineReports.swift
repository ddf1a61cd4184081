import Foundation

/// Column names, then one line a result, as RFC 4180 has it (with plain line feeds).
struct CSVReport: Report {
  func opening(facts: [(String, String)]) -> [String] {
    let empty = ResultRow(
      name: "", kernel: "", dtype: "", threads: 0, work: .attention(usefulFlops: 0, keyValueBytes: 0))
    return [empty.fields.map(\.name).joined(separator: ",")]
  }

  func line(_ row: ResultRow) -> String {
    row.fields.map { field in
      switch field.value {
      case .text(let text): quoteIfNeeded(text)
      case .count(let count): String(count)
      case .number(let number): digits(number)
      case .missing: ""
      }
    }.joined(separator: ",")
  }

  var closing: [String] { [] }

  private func quoteIfNeeded(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}

/// One JSON object a line; what there is nothing to tell of is `null`.
struct JSONLinesReport: Report {
  func opening(facts: [(String, String)]) -> [String] { [] }

  func line(_ row: ResultRow) -> String {
    let members = row.fields.map { field in
      let value =
        switch field.value {
        case .text(let text): escape(text)
        case .count(let count): String(count)
        case .number(let number): digits(number)
        case .missing: "null"
        }
      return "\(escape(field.name)): \(value)"
    }
    return "{" + members.joined(separator: ", ") + "}"
  }

  var closing: [String] { [] }

  private func escape(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20: result += String(format: "\\u%04x", scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Five significant digits: more than timings have.
private func digits(_ number: Double) -> String { String(format: "%.5g", number) }
