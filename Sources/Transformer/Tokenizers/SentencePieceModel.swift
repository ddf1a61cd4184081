/// Merges by score: two neighbours merge if what they spell is a token, the best-scored one first.
struct ScoreMerges: MergeRule, Sendable {
  let vocabulary: Vocabulary
  let index: TokenIndex
  /// By token: the lower, the better the score.
  let ranks: [UInt32]

  func merge(_ left: Symbol, _ right: Symbol, in bytes: [UInt8]) -> Merge? {
    guard let token = index.token(for: bytes, in: left.start..<right.end, of: vocabulary) else { return nil }
    return Merge(rank: ranks[token], token: token)
  }

  /// A number that is the lower, the higher the score: the bits of a float, ordered as integers.
  static func rank(of score: Float) -> UInt32 {
    // -0 and +0 are one score.
    let bits = (score == 0 ? Float(0) : score).bitPattern
    return bits >> 31 == 0 ? ~(bits | 0x8000_0000) : bits
  }
}

/// SentencePiece's byte-pair encoding (Llama 2, Mistral, Gemma): text starts as characters, a character without a
/// token becomes its bytes `<0xXX>`, and spaces are part of words. Tokens hold spaces where files write `▁`.
struct SentencePieceModel: Sendable {
  enum Merges: Sendable {
    case scores(ScoreMerges)
    case pairs(PairMerges)
  }

  let merges: Merges
  let index: TokenIndex
  /// The token of each byte; -1 where there is none.
  let byteTokens: [Int]
  let unknown: Int?
  /// Neighbouring unknown characters become one unknown token.
  let fusesUnknown: Bool
  /// Nothing merges across the start of a space (Metaspace with `split`).
  let splitsAtSpaces: Bool
  /// By byte: a token has this byte in front of a space.
  private let precedesSpace: [Bool]

  init(
    merges: Merges, index: TokenIndex, byteTokens: [Int], unknown: Int?, fusesUnknown: Bool,
    splitsAtSpaces: Bool, vocabulary: Vocabulary
  ) {
    self.merges = merges
    self.index = index
    self.byteTokens = byteTokens
    self.unknown = unknown
    self.fusesUnknown = fusesUnknown
    self.splitsAtSpaces = splitsAtSpaces
    var precedesSpace = [Bool](repeating: false, count: 256)
    for token in 0..<vocabulary.count {
      let bytes = vocabulary[token]
      for position in bytes.indices.dropFirst() where bytes[position] == 0x20 {
        precedesSpace[Int(bytes[position - 1])] = true
      }
    }
    self.precedesSpace = precedesSpace
  }

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger,
    into tokens: inout [Int]
  ) {
    var start = range.lowerBound
    while start < range.upperBound {
      // Where no token has what stands before a space next to a space, no merge can cross it, and cutting there
      // changes nothing but the time: words instead of the whole text.
      var stop = start + 1
      while stop < range.upperBound,
        bytes[stop] != 0x20 || (!splitsAtSpaces && precedesSpace[Int(bytes[stop - 1])])
      {
        stop += 1
      }
      encodeWord(bytes, start..<stop, vocabulary, &merger, into: &tokens)
      start = stop
    }
  }

  private func encodeWord(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger,
    into tokens: inout [Int]
  ) {
    fillSymbols(bytes, range, vocabulary, &merger)
    switch merges {
    case .scores(let rule): merger.run(rule, in: bytes)
    case .pairs(let rule): merger.run(rule, in: bytes)
    }
    var followsUnknown = false
    for symbol in merger.symbols {
      let text = bytes[symbol.start..<symbol.end]
      if symbol.token >= 0 {
        tokens.append(symbol.token)
        followsUnknown = false
      } else if text.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
        for byte in text { tokens.append(byteTokens[Int(byte)]) }
        followsUnknown = false
      } else if let unknown {
        if !(fusesUnknown && followsUnknown) { tokens.append(unknown) }
        followsUnknown = true
      }
    }
  }

  private func fillSymbols(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger
  ) {
    merger.symbols.removeAll(keepingCapacity: true)
    var start = range.lowerBound
    while start < range.upperBound {
      let stop = min(start + Character32(at: start, of: bytes).length, range.upperBound)
      var token = index.token(for: bytes, in: start..<stop, of: vocabulary) ?? -1
      if token >= 0, vocabulary.isSpecial(token) { token = -1 }
      merger.symbols.append(Symbol(token: token, start: start, end: stop))
      start = stop
    }
  }
}
