import Foundation

/// JSON to be written. Foundation's encoder does not keep the order of members, and who reads a result wants its name first.
package enum JSONValue: Sendable {
  /// Nothing to tell.
  case null
  /// True or false.
  case flag(Bool)
  /// A whole number.
  case count(Int)
  /// A whole number of any 64 bits.
  case bits(UInt64)
  /// A measurement; JSON has no word for one that is not finite, which becomes `null`.
  case number(Double)
  /// Words.
  case text(String)
  /// Values in order.
  case array([JSONValue])
  /// Members in order.
  case object([(name: String, value: JSONValue)])

  /// A number or nothing.
  package init(_ number: Double?) { self = number.map { .number($0) } ?? .null }

  /// Words or nothing.
  package init(_ text: String?) { self = text.map { .text($0) } ?? .null }

  /// The value on one line.
  package var line: String {
    switch self {
    case .null: "null"
    case .flag(let flag): flag ? "true" : "false"
    case .count(let count): String(count)
    case .bits(let bits): String(bits)
    case .number(let number): number.isFinite ? digits(number) : "null"
    case .text(let text): Self.escape(text)
    case .array(let values): "[" + values.map(\.line).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\(Self.escape($0.name)): \($0.value.line)" }.joined(separator: ", ") + "}"
    }
  }

  private static func escape(_ text: String) -> String {
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

/// Numbers for programs, the same in every form: what counts something to the last digit, what was measured with nine, more than a
/// clock has.
///
/// - Precondition: `number` is finite.
func digits(_ number: Double) -> String {
  let isCount = number.rounded() == number && number.magnitude < 0x1p53
  return String(format: isCount ? "%.0f" : "%.9g", number)
}

extension JSONValue {
  /// A column's value.
  init(_ field: Field) {
    switch field {
    case .text(let text): self = .text(text)
    case .count(let count): self = .count(count)
    case .number(let number): self = .number(number)
    case .missing: self = .null
    }
  }
}
