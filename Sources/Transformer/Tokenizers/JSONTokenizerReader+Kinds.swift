import TensorFiles

extension JSONTokenizerReader {
  func tokenizer(_ settings: TokenizerSettings) throws(ModelError) -> Tokenizer {
    var reader = self
    reader.parts.normalizer = pipeline.normalizer
    let model: TokenModel
    switch kind {
    case "BPE":
      for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if let text = self.model[key]?.string, !text.isEmpty {
          throw ModelError(name, "model.\(key): \(quoted(text)) is not supported")
        }
      }
      model = pipeline.isByteLevel ? try reader.bytePairs() : try reader.sentencePiece()
    case "WordPiece": model = try reader.wordPiece()
    default:
      throw ModelError(name, "model.type: \(quoted(kind)) is not supported; supported are BPE and WordPiece")
    }
    try reader.readSpecials(settings)
    return Tokenizer(reader.parts, model: model)
  }

  /// Fills the vocabulary and the added tokens. `bytes` says what the text of a token that is not added stands for.
  private mutating func fill(_ bytes: (String) -> [UInt8]) throws(ModelError) {
    var kinds = [TokenKind](repeating: .normal, count: texts.count)
    for addition in additions { kinds[addition.token] = addition.rule.isSpecial ? .special : .userDefined }
    parts.vocabulary.reserve(tokens: texts.count)
    for (token, text) in texts.enumerated() {
      if kinds[token] == .normal, hasByteFallback, let byte = byteToken(text.utf8) {
        parts.vocabulary.append([byte], kind: .byte)
      } else if kinds[token] == .normal {
        parts.vocabulary.append(bytes(text), kind: .normal)
      } else {
        let shown = pipeline.isMetaspace ? TextNormalizer.withSpaces(Array(text.utf8)) : Array(text.utf8)
        parts.vocabulary.append(shown, kind: kinds[token])
      }
    }
    // A normalizer that adds a space in front would have added tokens start with one: those are matched in the
    // text as it is. So are special ones, whose place in a chat must be known in the text as it was written.
    var prefixes = true
    if case .never = pipeline.normalizer.prefix { prefixes = false }
    for addition in additions {
      let text = Array(addition.text.utf8)
      let isTwice: Bool
      if addition.isNormalized, !addition.rule.isSpecial, !prefixes, !pipeline.normalizer.changesNothing {
        let normalized = pipeline.normalizer.applied(to: text, 0..<text.count, isStart: false)
        isTwice = parts.addedAfterNormalizing.insert(addition.token, normalized, addition.rule)
      } else {
        isTwice = parts.added.insert(addition.token, text, addition.rule)
      }
      if isTwice { throw ModelError(name, "added_tokens: \(quoted(addition.text)) comes twice") }
    }
  }

  private func index(where isIncluded: (Int) -> Bool = { _ in true }) throws(ModelError) -> TokenIndex {
    var index = TokenIndex(tokens: texts.count)
    // Normal tokens first: an added one with the same bytes is matched by its text.
    for pass in [TokenKind.normal, .userDefined, .special] {
      for token in texts.indices
      where parts.vocabulary.kinds[token] == pass && parts.vocabulary.length(of: token) > 0
        && isIncluded(token)
      {
        if let other = index.insert(token, of: parts.vocabulary), pass == .normal,
          !texts[token].utf8.contains(0x20)
        {
          throw ModelError(
            name, "model.vocab: \(quoted(texts[other])) and \(quoted(texts[token])) stand for the same text")
        }
      }
    }
    return index
  }

  private mutating func bytePairs() throws(ModelError) -> TokenModel {
    guard !hasByteFallback else {
      throw ModelError(name, "model.byte_fallback: not supported with ByteLevel")
    }
    try fill { ByteAlphabet.decode($0.utf8) ?? Array($0.utf8) }
    let vocabulary = parts.vocabulary
    let index = try index()
    let merges = try readMerges(index) { ByteAlphabet.decode($0.utf8) }
    let model = BytePairModel(
      merges: merges, index: index,
      byteTokens: (0..<256).map { byte in
        index.token(for: [UInt8(byte)], of: vocabulary).flatMap { vocabulary.isSpecial($0) ? nil : $0 } ?? -1
      },
      pattern: pipeline.pattern, isolatesDigits: pipeline.isolatesDigits,
      addsPrefixSpace: pipeline.addsPrefixSpace, ignoresMerges: self.model["ignore_merges"]?.bool ?? false,
      unknown: try unknown())
    return .bytePairs(model)
  }

  private mutating func sentencePiece() throws(ModelError) -> TokenModel {
    guard pipeline.isMetaspace else {
      throw ModelError(name, "model.type: BPE without ByteLevel and without ▁ for spaces is not supported")
    }
    if case .whole = pipeline.pattern {
    } else {
      throw ModelError(name, "pre_tokenizer: a pattern together with ▁ for spaces is not supported")
    }
    try fill { TextNormalizer.withSpaces(Array($0.utf8)) }
    parts.normalizer.joinsMetaspace = true
    if pipeline.stripsFirstSpace { parts.spacing = .withoutFirstSpace }
    let index = try index()
    let merges = try readMerges(index) { TextNormalizer.withSpaces(Array($0.utf8)) }
    let model = SentencePieceModel(
      merges: .pairs(merges), index: index, byteTokens: parts.byteTokens(), unknown: try unknown(),
      fusesUnknown: self.model["fuse_unk"]?.bool ?? false, splitsAtSpaces: pipeline.splitsAtSpaces,
      vocabulary: parts.vocabulary)
    return .sentencePiece(model)
  }

  private mutating func wordPiece() throws(ModelError) -> TokenModel {
    guard pipeline.isBERT else { throw ModelError(name, "pre_tokenizer: WordPiece needs BertPreTokenizer") }
    guard (model["continuing_subword_prefix"]?.string ?? "##") == "##" else {
      throw ModelError(name, "model.continuing_subword_prefix: only ## is supported")
    }
    let longest = model["max_input_chars_per_word"]?.integer ?? 100
    guard longest > 0 else {
      throw ModelError(name, "model.max_input_chars_per_word: \(longest) is not positive")
    }
    let continues = texts.map { $0.utf8.starts(with: [0x23, 0x23]) && $0.utf8.count > 2 }
    try fill { text in
      let isInside = text.utf8.starts(with: [0x23, 0x23]) && text.utf8.count > 2
      return Array(isInside ? text.utf8.dropFirst(2) : text.utf8[...])
    }
    parts.spacing = .wordPiece(continues: continues, cleansUp: pipeline.cleansUp)
    guard let unknown = try unknown() else { throw ModelError(name, "model.unk_token: WordPiece needs one") }
    let vocabulary = parts.vocabulary
    let model = WordPieceModel(
      starts: try index { !continues[$0] && !vocabulary.isSpecial($0) },
      continuations: try index { continues[$0] && !vocabulary.isSpecial($0) }, unknown: unknown,
      longestWord: longest)
    return .wordPiece(model)
  }

  private func unknown() throws(ModelError) -> Int? {
    guard let text = model["unk_token"]?.string else { return nil }
    guard let token = texts.firstIndex(of: text) else {
      throw ModelError(name, "model.unk_token: \(quoted(text)) is not in the vocabulary")
    }
    return token
  }

  private func readMerges(_ index: TokenIndex, _ bytes: (String) -> [UInt8]?) throws(ModelError) -> PairMerges
  {
    guard let list = model["merges"]?.array else { throw ModelError(name, "model.merges: expected an array") }
    var merges = PairMerges(count: list.count)
    let vocabulary = parts.vocabulary
    for (rank, entry) in list.enumerated() {
      guard let (left, right) = Self.pair(entry), let left = bytes(left), let right = bytes(right),
        let leftToken = index.token(for: left, of: vocabulary),
        let rightToken = index.token(for: right, of: vocabulary),
        let token = index.token(for: left + right, of: vocabulary)
      else {
        throw ModelError(name, "model.merges: merge \(rank) is not of two tokens that make a third")
      }
      // Text of users must not be able to merge into a control token.
      if !vocabulary.isSpecial(token) { merges.insert(leftToken, rightToken, rank: rank, token: token) }
    }
    return merges
  }

  /// A merge is written `"a b"` or `["a", "b"]`.
  private static func pair(_ entry: JSONValue) -> (String, String)? {
    if let text = entry.string {
      // In UTF-8, as to `Character` a space and a mark behind it are one.
      let units = text.utf8
      guard let space = units.dropFirst().firstIndex(of: 0x20) else { return nil }
      return (
        String(decoding: units[..<space], as: UTF8.self),
        String(decoding: units[units.index(after: space)...], as: UTF8.self)
      )
    }
    guard let parts = entry.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string
    else { return nil }
    return (left, right)
  }
}

// MARK: Special tokens

extension JSONTokenizerReader {
  private mutating func readSpecials(_ settings: TokenizerSettings) throws(ModelError) {
    var ids: [String: Int] = [:]
    for addition in additions { ids[addition.text] = addition.token }
    func id(_ text: String, _ key: String) throws(ModelError) -> Int {
      guard let token = ids[text] ?? texts.firstIndex(of: text) else {
        throw ModelError(name, "\(key): \(quoted(text)) is not in the vocabulary")
      }
      return token
    }
    for text in pipeline.opening { parts.prefix.append(try id(text, "post_processor")) }
    for text in pipeline.closing { parts.suffix.append(try id(text, "post_processor")) }
    parts.begin = try settings.begin.map { text throws(ModelError) in try id(text, "bos_token") }
    parts.endOfText = try settings.end.map { text throws(ModelError) in try id(text, "eos_token") }
    if let begin = parts.begin, let adds = settings.addsBegin, adds != (parts.prefix.first == begin) {
      if adds { parts.prefix.insert(begin, at: 0) } else { parts.prefix.removeFirst() }
    }
    if let end = parts.endOfText, let adds = settings.addsEnd, adds != (parts.suffix.last == end) {
      if adds { parts.suffix.append(end) } else { parts.suffix.removeLast() }
    }
    for token in settings.ends {
      guard texts.indices.contains(token) else {
        throw ModelError(name, "eos_token_id: \(token), but the vocabulary has \(texts.count)")
      }
      parts.end.insert(token)
    }
    parts.collectEnds()
    parts.templateSource = settings.template
  }
}
