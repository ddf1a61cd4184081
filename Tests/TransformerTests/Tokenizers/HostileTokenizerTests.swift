import Foundation
import TensorFiles
import Testing
import Transformer

/// Files that lie: each is refused with a line that says what was found, and none ends the process.
@Suite struct HostileTokenizerTests {
  /// A small byte-level tokenizer, in the words of tokenizer.json.
  private static let json = #"""
    {"added_tokens": [{"id": 4, "content": "<s>", "special": true}],
     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
     "model": {"type": "BPE", "unk_token": "a", "vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3},
               "merges": ["a b", ["ab", "b"]]}}
    """#

  private func read(_ json: String, configuration: String? = nil) throws -> Tokenizer {
    try Tokenizer(json: Array(json.utf8), configuration: configuration.map { Array($0.utf8) }, name: "made")
  }

  @Test func theHonestFile() throws {
    let tokenizer = try read(Self.json)
    #expect(tokenizer.encode("abbab<s>b") == [3, 2, 4, 1])
    #expect(tokenizer.count == 5)
  }

  @Test(arguments: [
    (#""b": 1"#, #""b": 0"#, "both have the id 0"),
    (#""b": 1"#, #""b": 9"#, "gaps"),
    (#""b": 1"#, #""b": -1"#, "gaps"),
    (#""b": 1"#, #""b": 1.5"#, "gaps"),
    (#""b": 1"#, #""b": 1e300"#, "gaps"),
    (#""b": 1"#, #""b": "1""#, "gaps"),
    (#""abb": 3"#, #""b": 3"#, "stand for the same text"),
    (#""id": 4"#, #""id": 1"#, "of \"b\""),
    (#""id": 4"#, #""id": 99"#, "gap"),
    (#""id": 4"#, #""id": "4""#, "added_tokens"),
    (#""content": "<s>""#, #""content": """#, "added_tokens"),
    (#""a b""#, #""a c""#, "merge 0"),
    (#""a b""#, #""ab""#, "merge 0"),
    (#"["ab", "b"]"#, #"["b", "b"]"#, "merge 1"),
    (#"["ab", "b"]"#, #"["ab", "b", "b"]"#, "merge 1"),
    (#"["ab", "b"]"#, #"[1, 2]"#, "merge 1"),
    (#""merges": ["a b", ["ab", "b"]]"#, #""merges": {}"#, "model.merges"),
    (#""vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}"#, #""vocab": {}"#, "model.vocab"),
    (#""vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}"#, #""vocab": [["a", 0]]"#, "found an array"),
    (#""type": "BPE""#, #""type": "Unigram""#, "\"Unigram\" is not supported"),
    (#""unk_token": "a""#, #""unk_token": "?""#, "model.unk_token"),
    (#""type": "ByteLevel""#, #""type": "Whitespace""#, "\"Whitespace\" is not supported"),
    (#""type": "ByteLevel""#, #""type": "Split", "pattern": {"Regex": "x+"}"#, "the pattern \"x+\""),
    (#""type": "ByteLevel""#, #""type": 3"#, "pre_tokenizer"),
    (#""model": "#, #""modell": "#, "no model"),
    (#""added_tokens""#, #""normalizer": {"type": "Precompiled"}, "added_tokens""#, "\"Precompiled\""),
  ])
  func liesInJSON(old: String, new: String, words: String) throws {
    let lie = Self.json.replacing(old, with: new)
    #expect(lie != Self.json, "\(old) is not in the file")
    let error = #expect(throws: ModelError.self, "\(old) → \(new)") { try read(lie) }
    #expect(error?.description.contains(words) == true, "\(old) → \(new): \(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\"}", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "tru", "1e999", "\"a\nb\"",
    "{} x",
    "-", "nul", "\"\\q\"", "\"", String(repeating: "[", count: 100_000), "\u{FEFF}", "{\"model\": null}", "3",
  ])
  func noJSON(text: String) {
    let error = #expect(throws: ModelError.self) { try read(text) }
    #expect(error?.description.contains("\n") == false)
  }

  @Test func noUTF8() {
    let bytes = Array(Self.json.replacing("\"abb\"", with: "\"a?b\"").utf8).map { $0 == 0x3F ? 0xFF : $0 }
    #expect(throws: ModelError.self) { try Tokenizer(json: bytes, name: "made") }
  }

  @Test func configuration() throws {
    let honest = #"{"bos_token": {"content": "<s>"}, "eos_token": "b", "add_bos_token": true}"#
    let tokenizer = try read(Self.json, configuration: honest)
    #expect(tokenizer.begin == 4 && tokenizer.end == [1])
    #expect(tokenizer.encode("a") == [4, 0])
    for lie in [#"{"bos_token": "<t>"}"#, #"{"eos_token": "c"}"#, "{"] {
      #expect(throws: ModelError.self, "\(lie)") { try read(Self.json, configuration: lie) }
    }
  }

  /// Each byte of a file changed, in turn: an error or a tokenizer, which then encodes and decodes.
  @Test func everyByteChanged() {
    let bytes = Array(Self.json.utf8)
    for index in bytes.indices {
      for byte: UInt8 in [0, 0x22, 0x2C, 0x39, 0x5C, 0x7B, 0xFF] {
        var changed = bytes
        changed[index] = byte
        guard let tokenizer = try? Tokenizer(json: changed, name: "made") else { continue }
        _ = tokenizer.decode(tokenizer.encode("abbab<s>b \u{0}é"))
      }
    }
  }

  @Test func liesInGGUF() throws {
    func expect(_ words: String, _ change: (inout [String: any Sendable]) -> Void) {
      var values: [String: any Sendable] = [
        "model": "gpt2", "tokens": ["a", "b", "ab", "<s>"], "token_type": [1, 1, 1, 3], "merges": ["a b"],
        "bos_token_id": 3,
      ]
      change(&values)
      var file = GGUFBytes()
      for (key, value) in values {
        switch value {
        case let value as String: file.set("tokenizer.ggml.\(key)", value)
        case let value as Bool: file.set("tokenizer.ggml.\(key)", value)
        case let value as Int: file.set("tokenizer.ggml.\(key)", value)
        case let value as [String]: file.set("tokenizer.ggml.\(key)", value)
        case let value as [Int]: file.set("tokenizer.ggml.\(key)", value)
        case let value as [Float]: file.set("tokenizer.ggml.\(key)", value)
        default: Issue.record("\(key)")
        }
      }
      do {
        let tokenizer = try file.tokenizer()
        #expect(words.isEmpty, "no error of \(words)")
        #expect(tokenizer.encode("ab<s>a") == [2, 3, 0])
      } catch {
        #expect(!words.isEmpty && "\(error)".contains(words), "\(error)")
      }
    }
    expect("") { _ in }
    expect("holds no tokenizer") { $0["model"] = nil }
    expect("holds no tokenizer") { $0["model"] = 3 }
    expect("\"t5\" is not supported") { $0["model"] = "t5" }
    expect("\"deepseek-llm\" is not supported") { $0["pre"] = "deepseek-llm" }
    expect("no tokens") { $0["tokens"] = nil }
    expect("no tokens") { $0["tokens"] = [String]() }
    expect("no tokens") { $0["tokens"] = [1, 2] }
    expect("3 types, but 4 tokens") { $0["token_type"] = [1, 1, 1] }
    expect("type 7") { $0["token_type"] = [1, 1, 7, 3] }
    expect("type -1") { $0["token_type"] = [1, 1, -1, 3] }
    expect("array of integers") { $0["token_type"] = "x" }
    expect("token 1 is a byte") { $0["token_type"] = [1, 6, 1, 3] }
    expect("both \"a\"") { $0["tokens"] = ["a", "b", "a", "<s>"] }
    expect("earlier added token") {
      $0["tokens"] = ["a", "b", "<s>", "<s>"]
      $0["token_type"] = [1, 1, 3, 3]
    }
    expect("no merges") { $0["merges"] = nil }
    for merge in ["ab", "a c", " ", "", "b a", "a  b", "<s> a"] {
      expect("merge 0") { $0["merges"] = [merge] }
    }
    expect("token 4, but the vocabulary has 4") { $0["bos_token_id"] = 4 }
    expect("expected an integer") { $0["eos_token_id"] = "a" }
    expect("expected true or false") { $0["add_bos_token"] = 1 }
    expect("array of numbers") { $0["model"] = "llama" }
    expect("1 scores, but 4 tokens") {
      $0["model"] = "llama"
      $0["scores"] = [0] as [Float]
    }
    expect("not a number") {
      $0["model"] = "llama"
      $0["scores"] = [0, 1, .nan, 2] as [Float]
    }
    expect("unknown_token_id") { $0["model"] = "bert" }
  }

  /// No text ends the process, whatever the tokenizer.
  @Test(arguments: 0..<20) func anyText(seed: Int) throws {
    var random = TokenizerRandom(UInt64(seed))
    let tokenizers = try [TokenizerFixtures.tinyLlama(), read(Self.json)]
    for _ in 0..<50 {
      let bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(tokenizers[0].decode(tokenizers[0].encode(text, recognisingSpecialTokens: false)) == text)
      _ = tokenizers[1].encode(text)
    }
  }

  @Test func noFolder() {
    let error = #expect(throws: ModelError.self) { try Tokenizer(folder: "/nowhere/at\nall") }
    #expect(error?.description == "/nowhere/at\\nall/tokenizer.json: there is no such file")
  }
}
