import TensorFiles

extension Tokenizer {
  /// Reads a tokenizer.json of Hugging Face's `tokenizers`.
  ///
  /// Models `BPE` (byte-level, or with byte fallback) and `WordPiece`, with the steps that GPT-2, Llama 2 and 3,
  /// Mistral, Qwen 2, SmolLM, Gemma and BERT use; other steps are refused by name.
  /// - Parameters:
  ///   - json: the bytes of tokenizer.json.
  ///   - configuration: the bytes of tokenizer_config.json: which tokens begin and end a text, the chat template.
  ///   - name: what errors call the file.
  /// - Throws: ``ModelError`` about what is no JSON, missing, contradictory or not supported.
  public init(json: [UInt8], configuration: [UInt8]? = nil, name: String) throws(ModelError) {
    let root = try JSONReader.read(json, name: name)
    var settings = TokenizerSettings()
    if let configuration {
      settings = TokenizerSettings(try JSONReader.read(configuration, name: "the configuration of \(name)"))
    }
    self = try JSONTokenizerReader(root, name: name).tokenizer(settings)
  }
}

/// What files beside a tokenizer.json say: names of tokens, and the chat template.
struct TokenizerSettings {
  var begin: String?
  var end: String?
  var addsBegin: Bool?
  var addsEnd: Bool?
  var template: String?
  /// Ids that end generation.
  var ends: [Int] = []

  init() {}

  /// Reads tokenizer_config.json.
  init(_ root: JSONValue) {
    begin = Self.token(root["bos_token"])
    end = Self.token(root["eos_token"])
    addsBegin = root["add_bos_token"]?.bool
    addsEnd = root["add_eos_token"]?.bool
    if let text = root["chat_template"]?.string {
      template = text
    } else if let templates = root["chat_template"]?.array {
      let chosen = templates.first { $0["name"]?.string == "default" } ?? templates.first
      template = chosen?["template"]?.string
    }
  }

  /// A token's text, which stands there alone or with its flags.
  static func token(_ value: JSONValue?) -> String? { value?.string ?? value?["content"]?.string }
}

/// Reads a tokenizer.json into a tokenizer.
struct JSONTokenizerReader {
  let name: String
  let model: JSONValue
  let pipeline: JSONPipeline
  let kind: String
  let hasByteFallback: Bool
  var parts = TokenizerParts()
  /// By id: the text that the file gives.
  var texts: [String] = []
  let additions: [Addition]

  /// A member of `added_tokens`.
  struct Addition {
    let token: Int
    let text: String
    let rule: AddedTokens.Rule
    let isNormalized: Bool
  }

  init(_ root: JSONValue, name: String) throws(ModelError) {
    self.name = name
    guard let model = root["model"] else { throw ModelError(name, "it has no model") }
    self.model = model
    self.kind = model["type"]?.string ?? (model["merges"] == nil ? "WordPiece" : "BPE")
    self.hasByteFallback = model["byte_fallback"]?.bool ?? false
    self.pipeline = try JSONPipeline(root, name: name)
    self.additions = try Self.readAdditions(root, name)
    try readVocabulary()
  }

  private static func readAdditions(_ root: JSONValue, _ name: String) throws(ModelError) -> [Addition] {
    var result: [Addition] = []
    for entry in root["added_tokens"]?.array ?? [] {
      guard let token = entry["id"]?.integer, let text = entry["content"]?.string, !text.isEmpty else {
        throw ModelError(name, "added_tokens: expected an id and a content that is not empty in each")
      }
      var rule = AddedTokens.Rule()
      rule.isSpecial = (entry["special"]?.bool ?? false) || TokenizerParts.isMarker(text.utf8)
      rule.stripsLeft = entry["lstrip"]?.bool ?? false
      rule.stripsRight = entry["rstrip"]?.bool ?? false
      rule.isSingleWord = entry["single_word"]?.bool ?? false
      let isNormalized = entry["normalized"]?.bool ?? !rule.isSpecial
      result.append(Addition(token: token, text: text, rule: rule, isNormalized: isNormalized))
    }
    return result
  }

  /// Puts the model's tokens and the added ones in the order of their ids, which must leave no gap.
  private mutating func readVocabulary() throws(ModelError) {
    guard case .object(let members)? = model["vocab"], !members.isEmpty else {
      throw ModelError(
        name, "model.vocab: expected an object with tokens, found \(model["vocab"]?.kind ?? "nothing")")
    }
    let largest = GGUFTokenizerReader.largestVocabulary
    guard members.count + additions.count <= largest else {
      throw ModelError(name, "model.vocab: \(members.count) tokens, but at most \(largest) are supported")
    }
    var found = [String?](repeating: nil, count: members.count + additions.count)
    for (text, value) in members {
      guard let token = value.integer, token >= 0, token < found.count else {
        throw ModelError(
          name,
          "model.vocab: \(quoted(text)) has no id from 0 to \(found.count - 1): ids are to leave no gaps")
      }
      if let other = found[token] {
        throw ModelError(name, "model.vocab: \(quoted(other)) and \(quoted(text)) both have the id \(token)")
      }
      found[token] = text
    }
    for addition in additions {
      guard found.indices.contains(addition.token) else {
        throw ModelError(
          name, "added_tokens: \(quoted(addition.text)) has the id \(addition.token), which leaves a gap")
      }
      let other = found[addition.token]
      if let other, other != addition.text {
        throw ModelError(
          name, "added_tokens: \(quoted(addition.text)) has the id \(addition.token) of \(quoted(other))")
      }
      found[addition.token] = addition.text
    }
    while let last = found.last, last == nil { found.removeLast() }
    for (token, text) in found.enumerated() {
      guard let text else { throw ModelError(name, "model.vocab: no token has the id \(token)") }
      texts.append(text)
    }
  }
}
