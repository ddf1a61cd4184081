import TensorFiles
import Testing
import Transformer

/// Texts that are hard to tokenize, against the tokens that the reference implementations make of them.
@Suite struct HardTextTests {
  private static let split =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  private func expect(
    _ tokenizer: Tokenizer, encodes name: String, recognisingSpecialTokens: Bool = true
  ) throws {
    for hard in try TokenizerFixtures.hardTexts(name) {
      let ids = tokenizer.encode(hard.text, recognisingSpecialTokens: recognisingSpecialTokens)
      #expect(ids == hard.ids, "\(name): \(hard.text.debugDescription)")
    }
  }

  private func bytes(prefix: Bool = false, pattern: Bool = true) -> [String: Any] {
    ["type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": pattern]
  }

  private func sequence(_ first: [String: Any], pattern: Bool) -> [String: Any] {
    ["type": "Sequence", "pretokenizers": [first, bytes(pattern: pattern)]]
  }

  private func split(_ pattern: String) -> [String: Any] {
    sequence(
      ["type": "Split", "pattern": ["Regex": pattern], "behavior": "Isolated", "invert": false],
      pattern: false)
  }

  @Test func gpt2() throws {
    try expect(TokenizerFixtures.tinyLlama(["pre_tokenizer": bytes()]), encodes: "tiny-llama gpt2")
  }

  @Test func gpt2WithPrefixSpace() throws {
    try expect(
      TokenizerFixtures.tinyLlama(["pre_tokenizer": bytes(prefix: true)]), encodes: "tiny-llama prefix")
  }

  @Test func digitsApart() throws {
    let digits = sequence(["type": "Digits", "individual_digits": true], pattern: true)
    try expect(TokenizerFixtures.tinyLlama(["pre_tokenizer": digits]), encodes: "tiny-llama smollm")
  }

  @Test func llama3() throws {
    try expect(
      TokenizerFixtures.tinyLlama(["pre_tokenizer": split(Self.split)]), encodes: "tiny-llama llama3")
  }

  @Test func qwen2() throws {
    let pattern = Self.split.replacing("{1,3}", with: "")
    let changes: [String: Any] = ["pre_tokenizer": split(pattern), "normalizer": ["type": "NFC"]]
    try expect(TokenizerFixtures.tinyLlama(changes), encodes: "tiny-llama qwen2")
  }

  /// Normal form C (UAX #15), where Foundation's own goes wrong too: jamo next to those that compose, and characters
  /// above U+FFFF whose low half is a letter.
  @Test(arguments: [
    ("e\u{301}", "\u{E9}"), ("\u{212B}", "\u{C5}"), ("a\u{301}\u{323}", "\u{1EA1}\u{301}"),
    ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"), ("\u{1100}\u{1176}", "\u{1100}\u{1176}"),
    ("\u{1112}\u{1170}\u{11A7}", "\u{D6FC}\u{11A7}"), ("\u{1113}\u{1175}", "\u{1113}\u{1175}"),
    ("\u{20045}\u{330}", "\u{20045}\u{330}"), ("\u{2F800}", "\u{4E3D}"), ("\u{1D15E}", "\u{1D157}\u{1D165}"),
    ("\u{11099}\u{110BA}", "\u{1109A}"), ("plain", "plain"), ("", ""),
  ])
  func normalFormC(text: String, expected: String) throws {
    let tokenizer = try TokenizerFixtures.tinyLlama(["normalizer": ["type": "NFC"]])
    let decoded = tokenizer.decode(tokenizer.encode(text))
    #expect(Array(decoded.unicodeScalars) == Array(expected.unicodeScalars))
  }

  @Test func smolLM2() throws {
    let tokenizer = try Tokenizer(
      gguf: GGUFFile(path: TokenizerFixtures.model("smollm2-135m-instruct/model.gguf")))
    #expect(tokenizer.count == 49_152)
    #expect(tokenizer.begin == 1)
    #expect(tokenizer.end == [0, 2])
    try expect(tokenizer, encodes: "smollm2")
  }

  /// SentencePiece does not look for control tokens in the text.
  @Test func gemma3() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: TokenizerFixtures.model("gemma3-270m/model.gguf")))
    #expect(tokenizer.count == 262_144)
    #expect(tokenizer.begin == 2)
    #expect(tokenizer.end == [1, 106])
    try expect(tokenizer, encodes: "gemma3", recognisingSpecialTokens: false)
  }

  @Test func miniLM() throws {
    let path = try TokenizerFixtures.model("all-minilm-l6-v2/tokenizer.json")
    let tokenizer = try Tokenizer(folder: String(path.dropLast("/tokenizer.json".count)))
    #expect(tokenizer.count == 30_522)
    try expect(tokenizer, encodes: "all-minilm-l6-v2")
  }
}
