import Transformer

/// The lines of standard input, without their ends.
///
/// - Throws: ``ModelError`` where it cannot be read, is empty or too long, or a line is no UTF-8.
func linesOfStandardInput() throws(ModelError) -> [String] {
  let name = "standard input"
  let bytes = try standardInputBytes()
  guard !bytes.isEmpty else { throw ModelError(name, "no text, expected one a line") }
  return try lines(bytes, of: name)
}

/// Lines that end with LF or CR LF; the last may have no end.
func lines(_ bytes: [UInt8], of name: String) throws(ModelError) -> [String] {
  var lines: [String] = []
  var rest = bytes[...]
  while !rest.isEmpty {
    let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
    var line = rest[..<end]
    if end < rest.endIndex, line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard let text = String(validating: line, as: UTF8.self) else {
      throw ModelError(name, "line \(lines.count + 1) is no UTF-8")
    }
    lines.append(text)
    rest = end < rest.endIndex ? rest[(end + 1)...] : []
  }
  return lines
}
