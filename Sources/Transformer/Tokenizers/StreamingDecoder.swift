/// Turns tokens into text one by one, as a model writes them.
///
/// It never hands out half a character: bytes that may be the start of one wait until it is whole. What it hands out,
/// put together, is ``Tokenizer/decode(_:skippingSpecialTokens:)`` of the tokens.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private var waiting: [UInt8] = []
  private var isFirst = true

  init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool) {
    self.tokenizer = tokenizer
    self.skipsSpecialTokens = skippingSpecialTokens
  }

  /// The text that one more token completes; empty while a character is incomplete, and for ids out of range.
  public mutating func append(_ token: Int) -> String {
    take(token)
    let whole = waiting.count - incompleteSuffix(of: waiting)
    let text = String(decoding: waiting[..<whole], as: UTF8.self)
    waiting.removeFirst(whole)
    return text
  }

  /// What still waits: U+FFFD for a character that never became whole, else nothing. The decoder starts anew.
  public mutating func finish() -> String {
    let text = String(decoding: waiting, as: UTF8.self)
    waiting.removeAll()
    isFirst = true
    return text
  }

  /// Adds a token's bytes, and the space in front of it, to those that wait.
  mutating func take(_ token: Int) {
    let vocabulary = tokenizer.vocabulary
    guard vocabulary.contains(token), !(skipsSpecialTokens && vocabulary.isSpecial(token)) else { return }
    let bytes = vocabulary[token]
    switch tokenizer.spacing {
    case .none:
      waiting += bytes
    case .withoutFirstSpace:
      waiting += isFirst && bytes.first == 0x20 ? bytes.dropFirst() : bytes
    case .wordPiece(let continues, let cleansUp):
      if isFirst {
        if continues[token] { waiting += [0x23, 0x23] }
      } else if !continues[token], !(cleansUp && closesUp(bytes)) {
        waiting.append(0x20)
      }
      waiting += bytes
    }
    if !bytes.isEmpty { isFirst = false }
  }

  private static let closers = [".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"].map { Array($0.utf8) }

  /// Whether English writes no space in front of the token.
  private func closesUp(_ bytes: ArraySlice<UInt8>) -> Bool {
    Self.closers.contains { bytes.starts(with: $0) }
  }
}

/// How many bytes at the end may be the start of a character whose rest is yet to come: 0 to 3.
private func incompleteSuffix(of bytes: [UInt8]) -> Int {
  for length in 1...3 where length <= bytes.count {
    let lead = bytes[bytes.count - length]
    if lead & 0xC0 == 0x80 { continue }
    let expected =
      lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 1
    return length < expected ? length : 0
  }
  return 0
}
