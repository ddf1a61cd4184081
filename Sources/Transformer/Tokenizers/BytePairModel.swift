/// The pairs of tokens that merge, by rank: the list `merges` of a byte-pair encoding.
struct PairMerges: MergeRule, Sendable {
  private var table: PairTable

  init(count: Int) { table = PairTable(minimumCapacity: count) }

  /// Enters a pair; a later one of the same two tokens is ignored, as its rank could never be reached.
  mutating func insert(_ left: Int, _ right: Int, rank: Int, token: Int) {
    let value = UInt64(UInt32(truncatingIfNeeded: rank)) << 32 | UInt64(UInt32(truncatingIfNeeded: token))
    _ = table.insert(value, for: PairTable.key(left, right))
  }

  func merge(_ left: Symbol, _ right: Symbol, in bytes: [UInt8]) -> Merge? {
    guard left.token >= 0, right.token >= 0, let value = table[PairTable.key(left.token, right.token)]
    else { return nil }
    return Merge(rank: UInt32(value >> 32), token: Int(value & 0xFFFF_FFFF))
  }
}

/// Byte-level byte-pair encoding (GPT-2, Llama 3, Qwen, SmolLM): words start as bytes.
struct BytePairModel: Sendable {
  let merges: PairMerges
  let index: TokenIndex
  /// The token of each byte; -1 where there is none.
  let byteTokens: [Int]
  let pattern: WordPattern
  /// Digits are words of their own, whatever the pattern says.
  let isolatesDigits: Bool
  /// Text that does not start with a space is given one.
  let addsPrefixSpace: Bool
  /// A word that is a token is that token, whatever the merges say.
  let ignoresMerges: Bool
  /// What a byte without a token becomes; without one it is left out. GGUF files name one that their tokenizer does
  /// not use.
  let unknown: Int?

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger,
    into tokens: inout [Int]
  ) {
    if addsPrefixSpace, let first = range.first, bytes[first] != 0x20 {
      let text = [0x20] + bytes[range]
      encodeText(text, 0..<text.count, vocabulary, &merger, into: &tokens)
    } else {
      encodeText(bytes, range, vocabulary, &merger, into: &tokens)
    }
  }

  private func encodeText(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger,
    into tokens: inout [Int]
  ) {
    var start = range.lowerBound
    while start < range.upperBound {
      let piece = isolatesDigits ? endOfPiece(from: start, to: range.upperBound, bytes) : range.upperBound
      while start < piece {
        let stop = pattern.endOfWord(from: start, to: piece, of: bytes)
        encodeWord(bytes, start..<stop, vocabulary, &merger, into: &tokens)
        start = stop
      }
    }
  }

  /// The end of the digit at `start`, or else the start of the next digit.
  private func endOfPiece(from start: Int, to end: Int, _ bytes: [UInt8]) -> Int {
    var stop = start
    while stop < end {
      let character = Character32(at: stop, of: bytes)
      if character.characterClass == .number {
        return stop == start ? start + character.length : stop
      }
      stop += character.length
    }
    return stop
  }

  private func encodeWord(
    _ bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ merger: inout SymbolMerger,
    into tokens: inout [Int]
  ) {
    if ignoresMerges, let token = index.token(for: bytes, in: range, of: vocabulary),
      !vocabulary.isSpecial(token)
    {
      tokens.append(token)
      return
    }
    merger.symbols.removeAll(keepingCapacity: true)
    for position in range {
      let token = byteTokens[Int(bytes[position])]
      if token >= 0 {
        merger.symbols.append(Symbol(token: token, start: position, end: position + 1))
      } else if let unknown {
        merger.symbols.append(Symbol(token: unknown, start: position, end: position + 1))
      }
    }
    merger.run(merges, in: bytes)
    for symbol in merger.symbols { tokens.append(symbol.token) }
  }
}
