extension Tokenizer {
  /// The text of tokens.
  ///
  /// The bytes of all tokens are put together first, so that a character may lie in several of them; bytes that are no
  /// UTF-8 become U+FFFD. SentencePiece's space in front of the text goes, and WordPiece's words get spaces, as in
  /// Hugging Face's `decode`. Ids out of range are left out.
  /// - Parameters:
  ///   - tokens: their ids, in order.
  ///   - skippingSpecialTokens: leaves control tokens out.
  public func decode(_ tokens: some Sequence<Int>, skippingSpecialTokens: Bool = false) -> String {
    var decoder = StreamingDecoder(self, skippingSpecialTokens: skippingSpecialTokens)
    for token in tokens { decoder.take(token) }
    return decoder.finish()
  }

  /// A decoder for tokens that come one by one.
  public func makeDecoder(skippingSpecialTokens: Bool = true) -> StreamingDecoder {
    StreamingDecoder(self, skippingSpecialTokens: skippingSpecialTokens)
  }

  /// A token's text as it can be printed in a table or beside a heat map: on one line, nothing invisible.
  ///
  /// A space is `␣`, a line end `⏎`, a tab `⇥`; other control characters and bytes that are no whole character are
  /// `\x1b`, in hexadecimal. Empty for ids out of range.
  public func label(of token: Int) -> String {
    var result = ""
    var iterator = bytes(of: token).makeIterator()
    var rest: [UInt8] = []
    while let byte = iterator.next() {
      rest.append(byte)
      let length = byte < 0x80 ? 1 : 0
      if length == 1 && rest.count == 1 {
        result += Self.visible(Unicode.Scalar(byte))
        rest.removeAll()
      } else if let scalar = Self.scalar(rest) {
        result += Self.visible(scalar)
        rest.removeAll()
      } else if rest.count == 4 || length == 1 {
        result += Self.hexadecimal(rest)
        rest.removeAll()
      }
    }
    return result + Self.hexadecimal(rest)
  }

  private static func scalar(_ bytes: [UInt8]) -> Unicode.Scalar? {
    guard isUTF8(bytes) else { return nil }
    let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
    return scalars.count == 1 ? scalars.first : nil
  }

  private static func visible(_ scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    case 0x20: return "␣"
    case 0x0A: return "⏎"
    case 0x09: return "⇥"
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .spaceSeparator:
      return hexadecimal(Array(String(scalar).utf8))
    default:
      return String(scalar)
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
