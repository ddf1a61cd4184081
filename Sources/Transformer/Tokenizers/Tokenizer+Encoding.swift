extension Tokenizer {
  /// The tokens of a text.
  ///
  /// Any text has tokens: characters that the vocabulary lacks become bytes or the unknown token. English text takes
  /// a second for some 30 MB byte-level, 12 MB SentencePiece, 5 MB WordPiece; a word of n characters takes n log n.
  /// - Parameters:
  ///   - text: any text.
  ///   - addingSpecialTokens: puts the tokens around the text that the tokenizer's files ask for, such as Gemma's
  ///     `<bos>` or BERT's `[CLS]` and `[SEP]`.
  ///   - recognisingSpecialTokens: `<|im_end|>` in the text becomes that token. Pass false for text that users
  ///     write; tokens that were added to the vocabulary without being special are recognised all the same.
  public func encode(
    _ text: String, addingSpecialTokens: Bool = true, recognisingSpecialTokens: Bool = true
  ) -> [Int] {
    encode(
      Array(text.utf8), addingSpecialTokens: addingSpecialTokens, specials: recognisingSpecialTokens,
      outside: [])
  }

  /// The tokens of UTF-8 text in which special tokens are recognised only where they touch no range of `texts`.
  func encode(
    _ bytes: [UInt8], addingSpecialTokens: Bool, specials: Bool, outside texts: [Range<Int>]
  ) -> [Int] {
    var tokens = addingSpecialTokens ? prefix : []
    tokens.reserveCapacity(tokens.count + bytes.count / 3 + suffix.count)
    var merger = SymbolMerger()
    var position = 0
    while position < bytes.count {
      let match = added.firstMatch(
        in: bytes, position..<bytes.count, specials: specials, outside: texts)
      let stop = match?.range.lowerBound ?? bytes.count
      if position < stop { encodeStretch(bytes, position..<stop, &merger, into: &tokens) }
      guard let match else { break }
      tokens.append(match.token)
      position = match.range.upperBound
    }
    if addingSpecialTokens { tokens += suffix }
    return tokens
  }

  /// Text between special tokens.
  private func encodeStretch(
    _ bytes: [UInt8], _ range: Range<Int>, _ merger: inout SymbolMerger, into tokens: inout [Int]
  ) {
    if normalizer.changesNothing {
      encodeNormalized(bytes, range, &merger, into: &tokens)
    } else {
      let text = normalizer.applied(to: bytes, range, isStart: range.lowerBound == 0)
      encodeNormalized(text, 0..<text.count, &merger, into: &tokens)
    }
  }

  private func encodeNormalized(
    _ bytes: [UInt8], _ range: Range<Int>, _ merger: inout SymbolMerger, into tokens: inout [Int]
  ) {
    var position = range.lowerBound
    while position < range.upperBound {
      let match = addedAfterNormalizing.firstMatch(
        in: bytes, position..<range.upperBound, specials: false, outside: [])
      let stop = match?.range.lowerBound ?? range.upperBound
      if position < stop { encodeWords(bytes, position..<stop, &merger, into: &tokens) }
      guard let match else { return }
      tokens.append(match.token)
      position = match.range.upperBound
    }
  }

  private func encodeWords(
    _ bytes: [UInt8], _ range: Range<Int>, _ merger: inout SymbolMerger, into tokens: inout [Int]
  ) {
    switch model {
    case .bytePairs(let model): model.encode(bytes, range, vocabulary, &merger, into: &tokens)
    case .sentencePiece(let model): model.encode(bytes, range, vocabulary, &merger, into: &tokens)
    case .wordPiece(let model): model.encode(bytes, range, vocabulary, into: &tokens)
    }
  }
}
