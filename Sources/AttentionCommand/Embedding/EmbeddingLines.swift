import Attention
import TensorFiles
import Transformer

/// A line of JSON for each text: the text and the shortest decimal numbers that are its vector's Floats.
///
/// - Parameter first: what the first text is called, less one, in an error.
/// - Throws: ``ModelError`` where a vector has NaN or an infinity, which JSON has no word for.
func jsonLines(
  _ texts: some Collection<String>, _ vectors: Tensor<Float>, first: Int
) throws(ModelError) -> String {
  let width = vectors.shape[1]
  let numbers = vectors.elements
  var lines = ""
  lines.reserveCapacity(numbers.count * 14)
  for (row, text) in texts.enumerated() {
    lines += "{\"text\":\"\(jsonEscaped(text))\",\"embedding\":["
    for column in 0..<width {
      let number = numbers[row * width + column]
      guard number.isFinite else {
        throw ModelError(
          "text \(first + row + 1)", "its vector has \(number) in column \(column), which JSON cannot express"
        )
      }
      if column > 0 { lines += "," }
      lines += number.description
    }
    lines += "]}\n"
  }
  return lines
}

/// A text between the quotes of JSON, on one line and harmless on a terminal.
private func jsonEscaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": result += "\\\(scalar)"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result.harmlessJSON
}

/// A line for each of the closest pairs: the cosine and the two texts, shortened.
func similarityLines(
  _ texts: [String], _ vectors: Tensor<Float>, count: Int
) throws(ModelError) -> String {
  func shown(_ text: String) -> String { text.printable.truncated(toColumns: 48) }
  var table = TextTable([("cosine", .right), ("text", .left), ("text", .left)])
  for pair in try closestPairs(of: vectors, count: count) {
    table.add([fourDigits(pair.cosine), shown(texts[pair.first]), shown(texts[pair.second])])
  }
  return table.lines.map { $0 + "\n" }.joined()
}

/// Four digits after the point.
private func fourDigits(_ number: Float) -> String {
  let scaled = Int((Double(number) * 10_000).rounded())
  let (whole, part) = scaled.magnitude.quotientAndRemainder(dividingBy: 10_000)
  let digits = String(part)
  return (scaled < 0 ? "-" : "") + "\(whole)." + String(repeating: "0", count: 4 - digits.count) + digits
}
