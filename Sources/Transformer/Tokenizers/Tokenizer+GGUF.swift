import TensorFiles

extension Tokenizer {
  /// Reads the tokenizer of a GGUF file: the keys `tokenizer.ggml.…`.
  ///
  /// `tokenizer.ggml.model` may be `gpt2` with the pre-tokenizers `gpt-2`, `llama-bpe`, `qwen2` and `smollm`, `llama`
  /// (SentencePiece), or `bert` (WordPiece). A vocabulary of 49,152 tokens takes some 20 ms.
  /// - Throws: ``ModelError`` about the key that is missing, contradicts another or is of a kind not supported.
  public init(gguf file: GGUFFile) throws(ModelError) {
    let key = "tokenizer.ggml.model"
    guard let name = file.string(key) else {
      throw ModelError(key, "the file has no such text: it holds no tokenizer")
    }
    switch name {
    case "gpt2": self = try GGUFTokenizerReader(file).bytePairs()
    case "llama": self = try GGUFTokenizerReader(file).sentencePiece()
    case "bert": self = try GGUFTokenizerReader(file).wordPiece()
    default:
      throw ModelError(key, "\(quoted(name)) is not supported; supported are gpt2, llama and bert")
    }
  }
}

/// Reads the keys of a GGUF file into a tokenizer.
struct GGUFTokenizerReader {
  /// As many as fit 32-bit ids with room for what tables need; the largest known vocabulary has 262,144.
  static let largestVocabulary = 1 << 24

  let file: GGUFFile
  let kinds: [TokenKind]
  var parts = TokenizerParts()

  init(_ file: GGUFFile) throws(ModelError) {
    self.file = file
    var count = 0
    guard file.stringBytes("tokenizer.ggml.tokens", { _ in count += 1 }), count > 0 else {
      throw ModelError("tokenizer.ggml.tokens", "the file has no tokens")
    }
    guard count <= Self.largestVocabulary else {
      throw ModelError(
        "tokenizer.ggml.tokens", "\(count) tokens, but at most \(Self.largestVocabulary) are supported")
    }
    self.kinds = try Self.readKinds(file, count: count)
  }

  private static func readKinds(_ file: GGUFFile, count: Int) throws(ModelError) -> [TokenKind] {
    let key = "tokenizer.ggml.token_type"
    guard file.metadata(key) != nil else { return [TokenKind](repeating: .normal, count: count) }
    guard let numbers = file.integers(key) else { throw ModelError(key, "expected an array of integers") }
    guard numbers.count == count else {
      throw ModelError(key, "\(numbers.count) types, but \(count) tokens")
    }
    var kinds: [TokenKind] = []
    kinds.reserveCapacity(count)
    for (token, number) in numbers.enumerated() {
      // 0 is llama.cpp's "undefined", which it reads as normal.
      guard let kind = number == 0 ? .normal : UInt8(exactly: number).flatMap(TokenKind.init) else {
        throw ModelError(key, "token \(token) has type \(number), expected 0 to 6")
      }
      kinds.append(kind)
    }
    return kinds
  }

  /// Fills the vocabulary; `bytes` says what a normal token's text stands for. `normalizesAdded`: user-defined tokens
  /// are looked for in the normalized text.
  mutating func readTokens(
    normalizesAdded: Bool = false, _ bytes: (UnsafeRawBufferPointer) -> [UInt8]
  ) throws(ModelError) {
    var vocabulary = Vocabulary()
    vocabulary.reserve(tokens: kinds.count)
    var added = AddedTokens()
    var normalized = AddedTokens()
    var problem: String?
    _ = file.stringBytes("tokenizer.ggml.tokens") { text in
      let token = vocabulary.count
      var kind = kinds[token]
      if kind == .userDefined, TokenizerParts.isMarker(text) { kind = .special }
      switch kind {
      case .normal, .unused:
        vocabulary.append(bytes(text), kind: kind)
      case .byte:
        if let byte = byteToken(text) {
          vocabulary.append([byte], kind: .byte)
        } else {
          problem =
            problem ?? "token \(token) is a byte, but its text \(quoted(text)) is not <0x00> to <0xFF>"
          vocabulary.append([], kind: .byte)
        }
      case .special, .unknown, .userDefined:
        var rule = AddedTokens.Rule()
        rule.isSpecial = kind != .userDefined
        let isNormalized = normalizesAdded && !rule.isSpecial
        let shown = isNormalized ? bytes(text) : Array(text)
        vocabulary.append(shown, kind: kind)
        if isNormalized ? normalized.insert(token, shown, rule) : added.insert(token, shown, rule) {
          problem = problem ?? "token \(token) has the text \(quoted(text)) of an earlier added token"
        }
      }
    }
    if let problem { throw ModelError("tokenizer.ggml.tokens", problem) }
    parts.vocabulary = vocabulary
    parts.added = added
    parts.addedAfterNormalizing = normalized
  }

  func isNormal(_ token: Int) -> Bool {
    switch parts.vocabulary.kinds[token] {
    case .normal, .userDefined, .unused: true
    case .special, .unknown, .byte: false
    }
  }

  /// An index of the tokens that words are made of. `allowing`: a second token with the same bytes is left out
  /// without an error.
  func index(allowing isTolerated: (Int) -> Bool = { _ in false }) throws(ModelError) -> TokenIndex {
    var index = TokenIndex(tokens: kinds.count)
    for token in kinds.indices where isNormal(token) && parts.vocabulary.length(of: token) > 0 {
      if let other = index.insert(token, of: parts.vocabulary), kinds[token] == .normal,
        kinds[other] == .normal,
        !isTolerated(token)
      {
        let text = String(decoding: parts.vocabulary[token], as: UTF8.self)
        throw ModelError("tokenizer.ggml.tokens", "tokens \(other) and \(token) are both \(quoted(text))")
      }
    }
    return index
  }
}

/// The byte of a token written `<0x0A>`.
func byteToken(_ text: some Collection<UInt8>) -> UInt8? {
  let text = Array(text)
  guard text.count == 6, text.starts(with: [0x3C, 0x30, 0x78]), text[5] == 0x3E else { return nil }
  var value = 0
  for digit in text[3...4] {
    switch digit {
    case 0x30...0x39: value = 16 * value + Int(digit - 0x30)
    case 0x41...0x46: value = 16 * value + Int(digit - 0x37)
    case 0x61...0x66: value = 16 * value + Int(digit - 0x57)
    default: return nil
    }
  }
  return UInt8(value)
}

/// Bytes of a file as text in a message.
func quoted(_ bytes: some Sequence<UInt8>) -> String {
  quoted(String(decoding: Array(bytes), as: UTF8.self))
}
