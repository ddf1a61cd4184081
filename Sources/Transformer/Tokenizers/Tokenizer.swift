import TensorFiles

/// Turns text into the numbers a model reads, and back.
///
///     let tokenizer = try Tokenizer(gguf: GGUFFile(path: "model.gguf"))
///     let tokens = tokenizer.encode("The capital of France is")
///     tokenizer.decode(tokens)
///
/// Three kinds: byte-level byte-pair encoding (GPT-2, Llama 3, Qwen, SmolLM), SentencePiece's byte-pair encoding with
/// byte fallback (Llama 2, Mistral, Gemma) and WordPiece (BERT). It is a value: copies share their tables, and any
/// number of threads may use it at once.
public struct Tokenizer: Sendable {
  /// The size of the vocabulary: the largest id and one.
  public let count: Int

  /// The token that marks the start of a text, if the tokenizer names one. `encode` adds it only where the
  /// tokenizer's own files ask for it.
  public let begin: Int?

  /// The tokens that end generation: the end of the text, and of a turn in a chat.
  public let end: Set<Int>

  let vocabulary: Vocabulary
  let model: TokenModel
  let normalizer: TextNormalizer
  let spacing: TokenSpacing
  /// Recognised in the text as it is, and in the normalized text.
  let added: AddedTokens
  let addedAfterNormalizing: AddedTokens
  /// The special tokens around a text.
  let prefix: [Int]
  let suffix: [Int]
  /// The template of the tokenizer's files, as they give it.
  let templateSource: String?
  let endOfText: Int?

  init(_ parts: TokenizerParts, model: TokenModel) {
    self.count = parts.vocabulary.count
    self.begin = parts.begin
    self.end = parts.end
    self.vocabulary = parts.vocabulary
    self.model = model
    self.normalizer = parts.normalizer
    self.spacing = parts.spacing
    self.added = parts.added
    self.addedAfterNormalizing = parts.addedAfterNormalizing
    self.prefix = parts.prefix
    self.suffix = parts.suffix
    self.templateSource = parts.templateSource
    self.endOfText = parts.endOfText
  }

  /// Whether a token is a control token, such as the start of a text; false for ids out of range.
  public func isSpecial(_ token: Int) -> Bool {
    vocabulary.contains(token) && vocabulary.isSpecial(token)
  }

  /// The bytes that a token decodes to within a text; none for ids out of range.
  public func bytes(of token: Int) -> [UInt8] {
    vocabulary.contains(token) ? Array(vocabulary[token]) : []
  }
}

/// How the words of a text become tokens.
enum TokenModel: Sendable {
  case bytePairs(BytePairModel)
  case sentencePiece(SentencePieceModel)
  case wordPiece(WordPieceModel)
}

/// What stands between tokens when they are decoded.
enum TokenSpacing: Sendable {
  /// Nothing.
  case none
  /// Nothing; the first space of the text was put there by the tokenizer and goes.
  case withoutFirstSpace
  /// A space, but in front of tokens that go on with a word; with `cleansUp`, nor in front of `.`, `?`, `!`, `,` and
  /// English contractions.
  case wordPiece(continues: [Bool], cleansUp: Bool)
}

/// What the readers of GGUF and tokenizer.json find out.
struct TokenizerParts {
  var vocabulary = Vocabulary()
  var normalizer = TextNormalizer()
  var spacing = TokenSpacing.none
  var added = AddedTokens()
  var addedAfterNormalizing = AddedTokens()
  var begin: Int?
  var endOfText: Int?
  var end: Set<Int> = []
  var prefix: [Int] = []
  var suffix: [Int] = []
  var templateSource: String?

  /// What families of models write at the end of a turn or of a text, besides the end that their files name.
  private static let knownEnds = [
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "<|end_of_text|>",
  ]

  private static let knownMarkers: Set<String> = Set(knownEnds).union([
    "<|im_start|>", "<|start_header_id|>", "<|end_header_id|>", "<start_of_turn>", "<|system|>", "<|user|>",
    "<|assistant|>", "[INST]", "[/INST]",
  ])

  /// Whether a token that was added to the vocabulary is a marker of chats. Some converters forget to call those
  /// special, and then whoever writes one into a chat could end their turn and speak as someone else.
  static func isMarker(_ text: some Sequence<UInt8>) -> Bool {
    knownMarkers.contains(String(decoding: Array(text), as: UTF8.self))
  }

  /// Enters the known ends among the special tokens.
  mutating func collectEnds() {
    if let endOfText { end.insert(endOfText) }
    for name in Self.knownEnds {
      let bytes = Array(name.utf8)
      let found = added.firstMatch(in: bytes, 0..<bytes.count, specials: true, outside: [])
      if let found, found.range == 0..<bytes.count, vocabulary.isSpecial(found.token) {
        end.insert(found.token)
      }
    }
  }

  /// The byte tokens `<0xXX>` by byte; -1 where the vocabulary has none.
  func byteTokens() -> [Int] {
    var result = [Int](repeating: -1, count: 256)
    for token in 0..<vocabulary.count where vocabulary.kinds[token] == .byte {
      if let byte = vocabulary[token].first, result[Int(byte)] < 0 { result[Int(byte)] = token }
    }
    return result
  }
}
