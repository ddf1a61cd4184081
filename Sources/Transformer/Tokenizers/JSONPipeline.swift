import TensorFiles

/// What the `normalizer`, `pre_tokenizer`, `post_processor` and `decoder` of a tokenizer.json ask for, as far as the
/// kinds that are supported ask for it. Anything else is an error that names it: to leave a step out would make
/// other tokens than the model was trained with.
struct JSONPipeline {
  /// The patterns of `Split`, by their published text.
  private static let patterns: [String: WordPattern] = [
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
    #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
      .llama3(digits: 3),
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
      .llama3(digits: 1),
  ]

  var normalizer = TextNormalizer()
  var pattern = WordPattern.whole
  var isolatesDigits = false
  var isByteLevel = false
  var addsPrefixSpace = false
  var isMetaspace = false
  var splitsAtSpaces = false
  var isBERT = false
  /// Names of special tokens in front of and behind a text.
  var opening: [String] = []
  var closing: [String] = []
  var stripsFirstSpace = false
  var cleansUp = false

  private let name: String

  init(_ root: JSONValue, name: String) throws(ModelError) {
    self.name = name
    if let step = root["normalizer"] { try readNormalizer(step) }
    if let step = root["pre_tokenizer"] { try readPreTokenizer(step, isFirst: true) }
    if let step = root["post_processor"] { try readPostProcessor(step) }
    if let step = root["decoder"] { try readDecoder(step) }
  }

  private func type(_ step: JSONValue, _ key: String) throws(ModelError) -> String {
    guard let type = step["type"]?.string else {
      throw ModelError(name, "\(key): expected an object with a type, found \(step.kind)")
    }
    return type
  }

  private func steps(_ step: JSONValue, _ list: String, _ key: String) throws(ModelError) -> [JSONValue] {
    guard let steps = step[list]?.array else {
      throw ModelError(name, "\(key): expected an array \(quoted(list))")
    }
    return steps
  }

  private func unsupported(_ what: String, _ key: String) -> ModelError {
    ModelError(name, "\(key): \(what) is not supported")
  }

  private mutating func readNormalizer(_ step: JSONValue) throws(ModelError) {
    let key = "normalizer"
    let kind = try type(step, key)
    switch kind {
    case "Sequence": for part in try steps(step, "normalizers", key) { try readNormalizer(part) }
    case "NFC": try setForm(.canonicalComposition, key)
    case "NFD": try setForm(.canonicalDecomposition, key)
    case "Prepend":
      guard step["prepend"]?.string == "▁" else { throw unsupported("Prepend of anything but ▁", key) }
      normalizer.prefix = .everyStretch
    case "Replace":
      guard step["pattern"]?["String"]?.string == " ", step["content"]?.string == "▁" else {
        throw unsupported("Replace of anything but spaces by ▁", key)
      }
      isMetaspace = true
    case "BertNormalizer":
      var text = BERTText()
      text.cleans = step["clean_text"]?.bool ?? true
      text.isolatesChinese = step["handle_chinese_chars"]?.bool ?? true
      text.lowercases = step["lowercase"]?.bool ?? true
      text.stripsAccents = step["strip_accents"]?.bool ?? text.lowercases
      normalizer.bert = text
    default: throw unsupported(quoted(kind), key)
    }
  }

  private mutating func setForm(_ form: NormalForm, _ key: String) throws(ModelError) {
    guard normalizer.form == nil, normalizer.bert == nil, !isMetaspace else {
      throw unsupported("a normal form behind another step", key)
    }
    normalizer.form = form
  }

  private mutating func readPreTokenizer(_ step: JSONValue, isFirst: Bool) throws(ModelError) {
    let key = "pre_tokenizer"
    let kind = try type(step, key)
    switch kind {
    case "Sequence":
      for (index, part) in try steps(step, "pretokenizers", key).enumerated() {
        try readPreTokenizer(part, isFirst: isFirst && index == 0)
      }
    case "ByteLevel":
      isByteLevel = true
      addsPrefixSpace = step["add_prefix_space"]?.bool ?? true
      if addsPrefixSpace, !isFirst {
        throw unsupported("ByteLevel with add_prefix_space behind another step", key)
      }
      if step["use_regex"]?.bool ?? true { try setPattern(.gpt2, key) }
    case "Digits":
      guard step["individual_digits"]?.bool == true else {
        throw unsupported("Digits without individual_digits", key)
      }
      guard case .whole = pattern else { throw unsupported("Digits behind a pattern", key) }
      isolatesDigits = true
    case "Split": try readSplit(step, key)
    case "Metaspace":
      isMetaspace = true
      guard (step["replacement"]?.string ?? "▁") == "▁" else { throw unsupported("a replacement but ▁", key) }
      splitsAtSpaces = step["split"]?.bool ?? true
      switch step["prepend_scheme"]?.string ?? (step["add_prefix_space"]?.bool == false ? "never" : "always")
      {
      case "always": normalizer.prefix = .everyStretch
      case "first": normalizer.prefix = .start
      case "never": normalizer.prefix = .never
      case let scheme: throw unsupported("prepend_scheme \(quoted(scheme))", key)
      }
      normalizer.prefixesOnlyWords = true
    case "BertPreTokenizer": isBERT = true
    default: throw unsupported(quoted(kind), key)
    }
  }

  private mutating func readSplit(_ step: JSONValue, _ key: String) throws(ModelError) {
    let behavior = step["behavior"]?.string ?? ""
    // Gemma's Split at spaces finds none: its normalizer has made them ▁.
    if step["pattern"]?["String"]?.string == " ", isMetaspace { return }
    guard let text = step["pattern"]?["Regex"]?.string, let pattern = Self.patterns[text] else {
      let found = step["pattern"]?["Regex"]?.string ?? step["pattern"]?["String"]?.string ?? ""
      throw unsupported("the pattern \(quoted(found))", key)
    }
    guard behavior == "Isolated" || (behavior == "Removed" && step["invert"]?.bool == true) else {
      throw unsupported("Split with behavior \(quoted(behavior))", key)
    }
    try setPattern(pattern, key)
  }

  private mutating func setPattern(_ new: WordPattern, _ key: String) throws(ModelError) {
    guard case .whole = pattern else { throw unsupported("a pattern behind another", key) }
    pattern = new
  }

  private mutating func readPostProcessor(_ step: JSONValue) throws(ModelError) {
    let key = "post_processor"
    let kind = try type(step, key)
    switch kind {
    case "Sequence": for part in try steps(step, "processors", key) { try readPostProcessor(part) }
    case "ByteLevel": break
    case "TemplateProcessing":
      var isBehind = false
      for part in try steps(step, "single", key) {
        if part["Sequence"] != nil {
          isBehind = true
        } else if let token = part["SpecialToken"]?["id"]?.string {
          if isBehind { closing.append(token) } else { opening.append(token) }
        }
      }
    case "BertProcessing", "RobertaProcessing":
      if let token = step["cls"]?.array?.first?.string { opening = [token] }
      if let token = step["sep"]?.array?.first?.string { closing = [token] }
    default: throw unsupported(quoted(kind), key)
    }
  }

  private mutating func readDecoder(_ step: JSONValue) throws(ModelError) {
    let key = "decoder"
    let kind = try type(step, key)
    switch kind {
    case "Sequence": for part in try steps(step, "decoders", key) { try readDecoder(part) }
    case "ByteLevel", "ByteFallback", "Fuse": break
    case "Replace":
      guard step["pattern"]?["String"]?.string == "▁", step["content"]?.string == " " else {
        throw unsupported("Replace of anything but ▁ by spaces", key)
      }
    case "Strip":
      guard step["content"]?.string == " ", (step["start"]?.integer ?? 0) <= 1,
        (step["stop"]?.integer ?? 0) == 0
      else { throw unsupported("Strip of anything but one space at the start", key) }
      stripsFirstSpace = step["start"]?.integer == 1
    case "Metaspace":
      let scheme =
        step["prepend_scheme"]?.string ?? (step["add_prefix_space"]?.bool == false ? "never" : "always")
      stripsFirstSpace = scheme != "never"
    case "WordPiece":
      guard (step["prefix"]?.string ?? "##") == "##" else { throw unsupported("a prefix but ##", key) }
      cleansUp = step["cleanup"]?.bool ?? true
    default: throw unsupported(quoted(kind), key)
    }
  }
}
