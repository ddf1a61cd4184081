import Foundation

/// What the benchmark refuses, in one line: what was given and what was expected.
package struct BenchmarkError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line.
  package let description: String

  /// An error with this line.
  package init(_ description: String) {
    self.description = description
  }
}

/// Text from a file, made safe to print: quoted, on one line, not too long.
func quoted(_ text: String, most: Int = 40) -> String {
  let shown = text.count > most ? text.prefix(most) + "…" : text[...]
  return String(shown).debugDescription
}

/// Text that somebody else worded, in one line of at most 200 letters, without what moves a terminal's cursor.
func oneLine(_ text: String) -> String {
  let words = text.prefix(1000).split(whereSeparator: \.isWhitespace).joined(separator: " ")
  let plain = words.filter { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
  return plain.count > 200 ? plain.prefix(200) + "…" : plain
}

/// `12.3 GiB`
func gibibytes(_ bytes: Double) -> String {
  String(format: "%.3g GiB", bytes / 0x1p30)
}
