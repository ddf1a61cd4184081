import Foundation
import TensorFiles
import Testing
import Transformer

/// What the tests of tokenizers read.
enum TokenizerFixtures {
  /// Texts that are hard to tokenize, and what Hugging Face's `tokenizers` 0.23 (Gemma: Google's SentencePiece 0.2)
  /// makes of them.
  struct HardText: Decodable {
    let text: String
    let ids: [Int]
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Fixtures")
    return try [UInt8](Data(contentsOf: folder.appendingPathComponent(name)))
  }

  static func hardTexts(_ name: String) throws -> [HardText] {
    let all = try JSONDecoder().decode([String: [HardText]].self, from: Data(bytes("hard-texts.json")))
    return try #require(all[name])
  }

  /// A file of a model that `make models` downloads.
  static func model(_ name: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let path = root.appendingPathComponent("Models/\(name)").path
    guard FileManager.default.fileExists(atPath: path) else {
      throw ModelError(path, "there is no such file: run `make models`")
    }
    return path
  }

  /// The tokenizer of the tiny Llama, with parts of its file written anew.
  static func tinyLlama(_ changes: [String: Any] = [:]) throws -> Tokenizer {
    let json = try JSONSerialization.jsonObject(with: Data(bytes("tiny-llama-tokenizer.json")))
    var root = try #require(json as? [String: Any])
    for (key, value) in changes { root[key] = value }
    return try Tokenizer(
      json: [UInt8](JSONSerialization.data(withJSONObject: root)), name: "tiny-llama-tokenizer.json")
  }
}

/// Writes the metadata of a GGUF file.
struct GGUFBytes {
  private var body: [UInt8] = []
  private var count = 0

  mutating func set(_ key: String, _ value: String) {
    begin(key, type: 8)
    append(value)
  }

  mutating func set(_ key: String, _ value: Int) {
    begin(key, type: 4)
    append(UInt32(value))
  }

  mutating func set(_ key: String, _ value: Bool) {
    begin(key, type: 7)
    body.append(value ? 1 : 0)
  }

  mutating func set(_ key: String, _ values: [String]) {
    begin(key, type: 9, element: 8, count: values.count)
    for value in values { append(value) }
  }

  mutating func set(_ key: String, _ values: [Int]) {
    begin(key, type: 9, element: 5, count: values.count)
    for value in values { append(UInt32(bitPattern: Int32(value))) }
  }

  mutating func set(_ key: String, _ values: [Float]) {
    begin(key, type: 9, element: 6, count: values.count)
    for value in values { append(value.bitPattern) }
  }

  private mutating func begin(_ key: String, type: UInt32) {
    count += 1
    append(key)
    append(type)
  }

  private mutating func begin(_ key: String, type: UInt32, element: UInt32, count: Int) {
    begin(key, type: type)
    append(element)
    append(UInt64(count))
  }

  private mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    body += text.utf8
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { body += $0 }
  }

  /// Magic, version 3, no tensors, the number of keys, the keys.
  var bytes: [UInt8] {
    var head = GGUFBytes()
    head.append(UInt32(0x4655_4747))
    head.append(UInt32(3))
    head.append(UInt64(0))
    head.append(UInt64(count))
    return head.body + body
  }

  func tokenizer() throws -> Tokenizer { try Tokenizer(gguf: GGUFFile(bytes: bytes, name: "made")) }
}

/// A fixed stream of random numbers (SplitMix64), so that a failure can be seen again.
struct TokenizerRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }
}
