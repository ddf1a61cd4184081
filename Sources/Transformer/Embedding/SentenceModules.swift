import Foundation
import TensorFiles

/// What the files of sentence-transformers in a folder say: which modules a text passes through, and with what settings.
struct SentenceModules {
  /// The folder of the encoder and its tokenizer.
  var encoder: String
  var pooling = Pooling.mean
  /// Vectors that the pooling was made for; nil where its file does not say.
  var width: Int?
  var normalizes = false
  /// The most tokens of a text; nil where the files do not say.
  var longest: Int?
  /// Whether texts are put into lower case before the tokenizer sees them.
  var lowercases = false

  /// Reads `modules.json` and what it names. Without it, a folder is an encoder with mean pooling, as sentence-transformers has it.
  ///
  /// - Throws: ``ModelError`` where a file cannot be read or has other than the expected fields, or asks for a module, a pooling mode or a
  ///   prompt that is not supported.
  init(folder: String) throws(ModelError) {
    encoder = folder
    let list = folder + "/modules.json"
    if FileManager.default.fileExists(atPath: list) {
      try readModules(list, folder)
    }
    try readLimits(encoder + "/sentence_bert_config.json")
    try checkPrompts(folder + "/config_sentence_transformers.json")
  }

  private mutating func readModules(_ list: String, _ folder: String) throws(ModelError) {
    guard let modules = try Self.read(list)?.array, !modules.isEmpty else {
      throw ModelError(list, "expected an array of modules")
    }
    let expected = ["Transformer", "Pooling", "Normalize"]
    for (index, module) in modules.enumerated() {
      guard let type = module["type"]?.string else { throw ModelError(list, "module \(index) has no type") }
      let kind = type.split(separator: ".").last.map(String.init) ?? type
      guard expected.contains(kind) else {
        throw ModelError(
          list, "module \(index) is a \(quoted(type)), supported are \(expected.joined(separator: ", "))")
      }
      guard index < expected.count, expected[index] == kind else {
        throw ModelError(
          list, "module \(index) is a \(kind), expected \(expected.joined(separator: ", ")) in this order")
      }
      let place = try Self.place(of: module, index, list)
      switch index {
      case 0: encoder = place.isEmpty ? folder : folder + "/" + place
      case 1: try readPooling(folder + "/" + place + "/config.json")
      default: normalizes = true
      }
    }
    guard modules.count > 1 else { throw ModelError(list, "no Pooling after the Transformer") }
  }

  /// The folder of a module, which lies in the model's own.
  private static func place(of module: JSONValue, _ index: Int, _ list: String) throws(ModelError) -> String {
    guard let path = module["path"] else {
      // Only the encoder may lie in the model's own folder: another module's settings would be read from the encoder's file.
      if index == 0 { return "" }
      throw ModelError(list, "module \(index) has no path")
    }
    guard let text = path.string, !text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
      throw ModelError(
        list, "the path of module \(index) leads out of the model's folder, expected a name in it")
    }
    guard index == 0 || !text.isEmpty else {
      throw ModelError(list, "the path of module \(index) is empty, expected a folder of its own")
    }
    return text
  }

  private mutating func readPooling(_ path: String) throws(ModelError) {
    guard let fields = try Self.read(path) else { throw ModelError(path, "no such file") }
    guard case .object(let members) = fields else {
      throw ModelError(path, "\(fields.kind), expected an object")
    }
    width = try Self.integer("word_embedding_dimension", of: fields, path)
    var modes: [String] = []
    var isGiven = false
    for (key, value) in members where key.hasPrefix("pooling_mode") {
      isGiven = true
      // Newer files name the mode; older ones have a switch for each.
      if key == "pooling_mode", let mode = value.string { modes.append(mode) }
      if value.bool == true { modes.append(String(key.dropFirst("pooling_mode_".count))) }
    }
    switch isGiven ? modes : ["mean"] {
    case ["mean"], ["mean_tokens"]: pooling = .mean
    case ["cls"], ["cls_token"]: pooling = .cls
    case let other:
      let names = other.isEmpty ? "none" : other.map { quoted($0) }.joined(separator: " and ")
      throw ModelError(path, "pooling mode \(names), expected mean or cls")
    }
  }

  private mutating func readLimits(_ path: String) throws(ModelError) {
    guard let fields = try Self.read(path) else { return }
    longest = try Self.integer("max_seq_length", of: fields, path)
    if let value = fields["do_lower_case"] {
      guard let bool = value.bool else {
        throw ModelError(path, "do_lower_case is \(value.kind), expected a bool")
      }
      lowercases = bool
    }
  }

  private func checkPrompts(_ path: String) throws(ModelError) {
    if let prompt = try Self.read(path)?["default_prompt_name"] {
      throw ModelError(
        path, "default_prompt_name is \(quoted(prompt.string ?? prompt.kind)): prompts are not supported")
    }
  }

  /// An integer that may be missing or null.
  private static func integer(
    _ key: String, of fields: JSONValue, _ path: String
  ) throws(ModelError) -> Int? {
    guard let value = fields[key] else { return nil }
    guard let integer = value.integer else {
      throw ModelError(path, "\(key) is \(value.kind) and no integer")
    }
    return integer
  }

  /// A file of JSON; nil where there is none.
  private static func read(_ path: String) throws(ModelError) -> JSONValue? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try JSONReader.read([UInt8](contents(of: path)), name: path)
  }
}
