import Foundation

extension Tokenizer {
  /// Reads the tokenizer of a folder as Hugging Face lays it out.
  ///
  /// `tokenizer.json` must be there. `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json` and
  /// `chat_template.jinja` are read where they are there: which tokens begin and end a text, and the chat template.
  /// - Throws: ``ModelError`` about the file that is missing, cannot be read, or is of a kind not supported.
  public init(folder path: String) throws(ModelError) {
    let folder = URL(fileURLWithPath: path, isDirectory: true)
    let main = folder.appendingPathComponent("tokenizer.json")
    guard let json = try Self.contents(main) else { throw ModelError(main.path, "there is no such file") }
    let root = try JSONReader.read(json, name: main.path)
    var settings = TokenizerSettings()
    let configuration = folder.appendingPathComponent("tokenizer_config.json")
    if let bytes = try Self.contents(configuration) {
      settings = TokenizerSettings(try JSONReader.read(bytes, name: configuration.path))
    }
    let map = folder.appendingPathComponent("special_tokens_map.json")
    if settings.begin == nil || settings.end == nil, let bytes = try Self.contents(map) {
      let root = try JSONReader.read(bytes, name: map.path)
      settings.begin = settings.begin ?? TokenizerSettings.token(root["bos_token"])
      settings.end = settings.end ?? TokenizerSettings.token(root["eos_token"])
    }
    let generation = folder.appendingPathComponent("generation_config.json")
    if let bytes = try Self.contents(generation) {
      let value = try JSONReader.read(bytes, name: generation.path)["eos_token_id"]
      settings.ends = (value?.array ?? value.map { [$0] } ?? []).compactMap(\.integer)
    }
    if let bytes = try Self.contents(folder.appendingPathComponent("chat_template.jinja")) {
      settings.template = String(decoding: bytes, as: UTF8.self)
    }
    self = try JSONTokenizerReader(root, name: main.path).tokenizer(settings)
  }

  /// The bytes of a file; nil where there is none.
  private static func contents(_ file: URL) throws(ModelError) -> [UInt8]? {
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do {
      return try [UInt8](Data(contentsOf: file))
    } catch {
      throw ModelError(file.path, "cannot be read: \(error.localizedDescription)")
    }
  }
}
