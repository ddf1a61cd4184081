/// WordPiece (BERT): words of prepared text are cut greedily, the longest token first; tokens inside of a word are
/// written `##…` in the file and stand without it in the vocabulary.
struct WordPieceModel: Sendable {
  /// Tokens that start a word.
  let starts: TokenIndex
  /// Tokens that go on with one.
  let continuations: TokenIndex
  let unknown: Int
  /// Longer words become one unknown token.
  let longestWord: Int

  /// Words lie between white space; a punctuation mark is a word.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, into tokens: inout [Int]
  ) {
    var start = range.lowerBound
    var stop = start
    var length = 0
    while stop < range.upperBound {
      let character = Character32(at: stop, of: bytes)
      let isSpace = character.characterClass == .space
      guard isSpace || BERTText.isPunctuation(character.point) else {
        stop += character.length
        length += 1
        continue
      }
      encodeWord(bytes, start..<stop, length, vocabulary, into: &tokens)
      start = stop + character.length
      if !isSpace { encodeWord(bytes, stop..<start, 1, vocabulary, into: &tokens) }
      stop = start
      length = 0
    }
    encodeWord(bytes, start..<stop, length, vocabulary, into: &tokens)
  }

  private func encodeWord(
    _ bytes: [UInt8], _ range: Range<Int>, _ length: Int, _ vocabulary: Vocabulary,
    into tokens: inout [Int]
  ) {
    guard !range.isEmpty else { return }
    let first = tokens.count
    var start = length > longestWord ? -1 : range.lowerBound
    while start >= 0, start < range.upperBound {
      let index = start == range.lowerBound ? starts : continuations
      var stop = min(range.upperBound, start + index.longest)
      while stop > start {
        // A cut inside a character cannot be a token: tokens are whole characters.
        if let token = index.token(for: bytes, in: start..<stop, of: vocabulary) {
          tokens.append(token)
          break
        }
        stop -= 1
      }
      start = stop > start ? stop : -1
    }
    if start < 0 {
      tokens.removeSubrange(first...)
      tokens.append(unknown)
    }
  }
}
