/// What a token is for. The cases are those of GGUF's `tokenizer.ggml.token_type`, in its order.
enum TokenKind: UInt8, Sendable {
  case normal = 1
  case unknown
  case special
  case userDefined
  case unused
  case byte
}

/// The tokens of a tokenizer, by id: the bytes that each one stands for in text, and its kind.
///
/// All bytes lie in one array: a vocabulary of 262,144 tokens costs two allocations, not as many as it has tokens.
struct Vocabulary: Sendable {
  private(set) var kinds: [TokenKind] = []
  private var arena: [UInt8] = []
  private var offsets: [Int] = [0]

  var count: Int { kinds.count }

  mutating func reserve(tokens: Int) {
    kinds.reserveCapacity(tokens)
    offsets.reserveCapacity(tokens + 1)
    arena.reserveCapacity(8 * tokens)
  }

  /// Adds the token with the next id.
  mutating func append(_ bytes: some Sequence<UInt8>, kind: TokenKind) {
    arena.append(contentsOf: bytes)
    offsets.append(arena.count)
    kinds.append(kind)
  }

  mutating func set(kind: TokenKind, of token: Int) { kinds[token] = kind }

  func contains(_ token: Int) -> Bool { token >= 0 && token < kinds.count }

  subscript(token: Int) -> ArraySlice<UInt8> { arena[offsets[token]..<offsets[token + 1]] }

  func length(of token: Int) -> Int { offsets[token + 1] - offsets[token] }

  /// Whether the token stands for exactly these bytes.
  func token(_ token: Int, equals bytes: [UInt8], in range: Range<Int>) -> Bool {
    let start = offsets[token]
    guard offsets[token + 1] - start == range.count else { return false }
    for index in 0..<range.count where arena[start + index] != bytes[range.lowerBound + index] {
      return false
    }
    return true
  }

  func isSpecial(_ token: Int) -> Bool { kinds[token] == .special || kinds[token] == .unknown }
}
