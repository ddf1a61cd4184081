import TensorFiles

extension GGUFTokenizerReader {
  /// Byte-level byte-pair encoding.
  func bytePairs() throws(ModelError) -> Tokenizer {
    var reader = self
    let (pattern, digits, ignoresMerges, addsBegin) = try wordPattern()
    try reader.readTokens { ByteAlphabet.decode($0) ?? Array($0) }
    let vocabulary = reader.parts.vocabulary
    let index = try reader.index()
    let merges = try reader.readMerges(vocabulary, index)
    try reader.readSpecials(addsBegin: addsBegin)
    let bytes = (0..<256).map { index.token(for: [UInt8($0)], of: vocabulary) ?? -1 }
    let model = BytePairModel(
      merges: merges, index: index, byteTokens: bytes, pattern: pattern, isolatesDigits: digits,
      addsPrefixSpace: false, ignoresMerges: ignoresMerges, unknown: nil)
    return Tokenizer(reader.parts, model: .bytePairs(model))
  }

  private func wordPattern() throws(ModelError) -> (WordPattern, Bool, Bool, addsBegin: Bool) {
    let key = "tokenizer.ggml.pre"
    let name = file.string(key) ?? "gpt-2"
    switch name {
    case "gpt-2", "default": return (.gpt2, false, false, false)
    case "llama-bpe", "llama3", "llama-v3": return (.llama3(digits: 3), false, true, true)
    case "qwen2": return (.llama3(digits: 1), false, false, false)
    case "smollm": return (.gpt2, true, false, false)
    default:
      throw ModelError(
        key, "\(quoted(name)) is not supported; supported are gpt-2, llama-bpe, qwen2 and smollm")
    }
  }

  private func readMerges(_ vocabulary: Vocabulary, _ index: TokenIndex) throws(ModelError) -> PairMerges {
    let key = "tokenizer.ggml.merges"
    var merges = PairMerges(count: 0)
    var count = 0
    guard file.stringBytes(key, { _ in count += 1 }) else { throw ModelError(key, "the file has no merges") }
    merges = PairMerges(count: count)
    var rank = 0
    var problem: String?
    _ = file.stringBytes(key) { text in
      defer { rank += 1 }
      guard problem == nil else { return }
      guard let space = text.dropFirst().firstIndex(of: 0x20),
        let left = ByteAlphabet.decode(text[..<space]), let right = ByteAlphabet.decode(text[(space + 1)...]),
        let leftToken = index.token(for: left, of: vocabulary),
        let rightToken = index.token(for: right, of: vocabulary),
        let token = index.token(for: left + right, of: vocabulary)
      else {
        problem = "merge \(rank), \(quoted(text)), is not of two tokens that make a third"
        return
      }
      merges.insert(leftToken, rightToken, rank: rank, token: token)
    }
    if let problem { throw ModelError(key, problem) }
    return merges
  }

  /// SentencePiece's byte-pair encoding.
  func sentencePiece() throws(ModelError) -> Tokenizer {
    var reader = self
    // A space in the file stands for itself, a `▁` for a space: the first can be met only by an added token.
    var literal: Set<Int> = []
    var token = 0
    _ = file.stringBytes("tokenizer.ggml.tokens") { text in
      if text.contains(0x20) { literal.insert(token) }
      token += 1
    }
    try reader.readTokens(normalizesAdded: true) { TextNormalizer.withSpaces(Array($0)) }
    let vocabulary = reader.parts.vocabulary
    let index = try reader.index { literal.contains($0) }
    let ranks = try reader.readRanks()
    reader.parts.normalizer.joinsMetaspace = true
    if try flag("tokenizer.ggml.add_space_prefix") ?? true {
      reader.parts.normalizer.prefix = .everyStretch
      reader.parts.spacing = .withoutFirstSpace
    }
    try reader.readSpecials(addsBegin: true)
    let unknown = try reader.token("tokenizer.ggml.unknown_token_id") ?? kinds.firstIndex(of: .unknown)
    let model = SentencePieceModel(
      merges: .scores(ScoreMerges(vocabulary: vocabulary, index: index, ranks: ranks)), index: index,
      byteTokens: reader.parts.byteTokens(), unknown: unknown, fusesUnknown: true, splitsAtSpaces: false,
      vocabulary: vocabulary)
    return Tokenizer(reader.parts, model: .sentencePiece(model))
  }

  private func readRanks() throws(ModelError) -> [UInt32] {
    let key = "tokenizer.ggml.scores"
    guard let scores = file.numbers(key) else { throw ModelError(key, "expected an array of numbers") }
    guard scores.count == kinds.count else {
      throw ModelError(key, "\(scores.count) scores, but \(kinds.count) tokens")
    }
    if let token = scores.firstIndex(where: \.isNaN) {
      throw ModelError(key, "the score of token \(token) is not a number")
    }
    return scores.map(ScoreMerges.rank)
  }

  /// WordPiece, as llama.cpp writes it: tokens that start a word are written with `▁`, the others without `##`.
  func wordPiece() throws(ModelError) -> Tokenizer {
    var reader = self
    var continues: [Bool] = []
    try reader.readTokens { text in
      let starts = text.starts(with: [0xE2, 0x96, 0x81])
      return starts ? Array(text.dropFirst(3)) : Array(text)
    }
    _ = file.stringBytes("tokenizer.ggml.tokens") { text in
      let isWord = kinds[continues.count] == .normal || kinds[continues.count] == .unused
      continues.append(isWord && !text.starts(with: [0xE2, 0x96, 0x81]))
    }
    var starts = TokenIndex(tokens: kinds.count)
    var continuations = TokenIndex(tokens: kinds.count)
    for token in kinds.indices where reader.isNormal(token) && reader.parts.vocabulary.length(of: token) > 0 {
      let other =
        continues[token]
        ? continuations.insert(token, of: reader.parts.vocabulary)
        : starts.insert(token, of: reader.parts.vocabulary)
      if let other { throw ModelError("tokenizer.ggml.tokens", "tokens \(other) and \(token) are the same") }
    }
    reader.parts.normalizer.bert = BERTText()
    reader.parts.spacing = .wordPiece(continues: continues, cleansUp: true)
    try reader.readSpecials(addsBegin: false)
    let opening = try reader.token("tokenizer.ggml.cls_token_id") ?? reader.parts.begin
    // The key's spelling is llama.cpp's.
    let closing = try reader.token("tokenizer.ggml.seperator_token_id") ?? reader.parts.endOfText
    reader.parts.prefix = opening.map { [$0] } ?? []
    reader.parts.suffix = closing.map { [$0] } ?? []
    guard let unknown = try reader.token("tokenizer.ggml.unknown_token_id") else {
      throw ModelError("tokenizer.ggml.unknown_token_id", "the file has no such token, which WordPiece needs")
    }
    let model = WordPieceModel(
      starts: starts, continuations: continuations, unknown: unknown, longestWord: 100)
    return Tokenizer(reader.parts, model: .wordPiece(model))
  }
}

// MARK: Special tokens

extension GGUFTokenizerReader {
  mutating func readSpecials(addsBegin: Bool) throws(ModelError) {
    parts.begin = try token("tokenizer.ggml.bos_token_id")
    parts.endOfText = try token("tokenizer.ggml.eos_token_id")
    for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
      if let end = try token(key) { parts.end.insert(end) }
    }
    parts.collectEnds()
    if try flag("tokenizer.ggml.add_bos_token") ?? addsBegin, let begin = parts.begin {
      parts.prefix = [begin]
    }
    if try flag("tokenizer.ggml.add_eos_token") ?? false, let end = parts.endOfText { parts.suffix = [end] }
    let template = "tokenizer.chat_template"
    parts.templateSource = file.string(template)
    if parts.templateSource == nil, file.metadata(template) != nil {
      throw ModelError(template, "expected text")
    }
  }

  func token(_ key: String) throws(ModelError) -> Int? {
    guard file.metadata(key) != nil else { return nil }
    guard let token = file.integer(key) else { throw ModelError(key, "expected an integer") }
    // Converters write 2³² - 1 or -1 for "none".
    if token == -1 || token == 0xFFFF_FFFF { return nil }
    guard kinds.indices.contains(token) else {
      throw ModelError(key, "token \(token), but the vocabulary has \(kinds.count)")
    }
    return token
  }

  func flag(_ key: String) throws(ModelError) -> Bool? {
    guard file.metadata(key) != nil else { return nil }
    guard let value = file.boolean(key) else { throw ModelError(key, "expected true or false") }
    return value
  }
}
