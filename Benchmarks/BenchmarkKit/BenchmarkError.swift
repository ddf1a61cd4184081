import Foundation

/// What the benchmark refuses, in one line: what was given and what was expected.
package struct BenchmarkError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) {
    self.description = description
  }
}

/// Text from a file, made safe to print: quoted, on one line, not too long.
package func quoted(_ text: String, most: Int = 40) -> String {
  let shown = text.count > most ? text.prefix(most) + "…" : text[...]
  return String(shown).debugDescription
}

/// Whether somebody else's word can be printed as it is: on one line, and no longer than a name or a version is.
package func isPrintableWord(_ text: String) -> Bool {
  1...40 ~= text.unicodeScalars.count && text == onOneLine(text)
}

/// Text that somebody else worded, with spaces for line feeds and all that steers a terminal, cut after `most` letters.
func onOneLine(_ text: String, most: Int = .max) -> String {
  let plain = String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: " "
        default: scalar
        }
      }))
  return plain.count > most ? plain.prefix(most) + "…" : plain
}

/// `12.3 GiB`
func gibibytes(_ bytes: Double) -> String {
  String(format: "%.3g GiB", bytes / 0x1p30)
}
