import Transformer

/// A paragraph and how near its meaning is to the query's.
struct Match: CustomStringConvertible {
  let paragraph: Paragraph
  /// The cosine of the angle between the two vectors: 1 for the same direction, about 0 for texts that have nothing in common.
  let cosine: Float

  /// `cosine file:line start of the text`.
  var description: String {
    let words = paragraph.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let score = (cosine * 1000).rounded() / 1000
    return "\(score) \(paragraph.file):\(paragraph.line) \(words.prefix(80))"
  }
}

/// The paragraphs nearest to a query, the nearest first.
///
/// The encoder cuts paragraphs that are longer than what it was trained on; the cosine is that of their start.
func search(
  _ paragraphs: [Paragraph], for query: String, count: Int, with encoder: SentenceEncoder
) throws(ModelError) -> [Match] {
  // One call for all: the encoder packs texts into batches that keep all threads busy.
  let vectors = try encoder.encode([query] + paragraphs.map(\.text))
  let width = encoder.width
  let elements = vectors.elements
  func dot(_ a: Int, _ b: Int) -> Float {
    var sum: Float = 0
    for column in 0..<width { sum += elements[a * width + column] * elements[b * width + column] }
    return sum
  }
  let matches = paragraphs.enumerated().map { index, paragraph in
    let lengths = (dot(0, 0) * dot(index + 1, index + 1)).squareRoot()
    return Match(paragraph: paragraph, cosine: lengths > 0 ? dot(0, index + 1) / lengths : 0)
  }
  return Array(matches.sorted { $0.cosine > $1.cosine }.prefix(count))
}
