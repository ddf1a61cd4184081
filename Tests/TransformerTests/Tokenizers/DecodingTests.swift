import TensorFiles
import Testing
import Transformer

/// Tokens back to text: all at once, and one by one.
@Suite struct DecodingTests {
  private func stream(_ tokenizer: Tokenizer, _ tokens: [Int], skippingSpecialTokens: Bool = false)
    -> [String]
  {
    var decoder = tokenizer.makeDecoder(skippingSpecialTokens: skippingSpecialTokens)
    return tokens.map { decoder.append($0) } + [decoder.finish()]
  }

  @Test func theTextComesBack() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    for hard in try TokenizerFixtures.hardTexts("tiny-llama gpt2") {
      #expect(
        Array(tokenizer.decode(hard.ids).utf8) == Array(hard.text.utf8), "\(hard.text.debugDescription)")
      let pieces = stream(tokenizer, hard.ids)
      #expect(Array(pieces.joined().utf8) == Array(hard.text.utf8), "\(hard.text.debugDescription)")
      #expect(hard.text.contains("\u{FFFD}") || !pieces.joined().contains("\u{FFFD}"))
    }
  }

  /// Any tokens, in any order: what is handed out one by one is what is decoded at once.
  @Test(arguments: 0..<30) func streamingIsDecoding(seed: Int) throws {
    var random = TokenizerRandom(UInt64(seed))
    let tokenizer = try TokenizerFixtures.tinyLlama()
    // Single bytes above 0x7F are what makes trouble.
    let bytes = (0..<tokenizer.count).filter { tokenizer.bytes(of: $0).first.map { $0 >= 0x80 } ?? false }
    let tokens = (0..<200).map { _ in
      Bool.random(using: &random)
        ? Int.random(in: -2...tokenizer.count + 2, using: &random) : bytes.randomElement(using: &random) ?? 0
    }
    for skips in [false, true] {
      let whole = tokenizer.decode(tokens, skippingSpecialTokens: skips)
      let joined = stream(tokenizer, tokens, skippingSpecialTokens: skips).joined()
      #expect(Array(whole.utf8) == Array(joined.utf8), "seed \(seed)")
    }
    let bytesOfAll = tokens.flatMap { tokenizer.bytes(of: $0) }
    #expect(Array(tokenizer.decode(tokens).utf8) == Array(String(decoding: bytesOfAll, as: UTF8.self).utf8))
  }

  @Test func aCharacterWaitsUntilItIsWhole() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    let rocket = tokenizer.encode("🚀")
    #expect(rocket.count == 4)
    #expect(stream(tokenizer, rocket) == ["", "", "", "🚀", ""])
    #expect(stream(tokenizer, Array(rocket[..<3])) == ["", "", "", "\u{FFFD}"])
    let interrupted = stream(tokenizer, Array(rocket[..<2]) + tokenizer.encode("x"))
    #expect(interrupted == ["", "", "\u{FFFD}x", ""])
  }

  @Test func specialTokens() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    let tokens = tokenizer.encode("<|begin_of_text|>a<|end_of_text|>")
    #expect(tokens.first == 0 && tokens.last == 1)
    #expect(tokenizer.decode(tokens) == "<|begin_of_text|>a<|end_of_text|>")
    #expect(tokenizer.decode(tokens, skippingSpecialTokens: true) == "a")
    #expect(tokenizer.isSpecial(0) && !tokenizer.isSpecial(2))
    let plain = tokenizer.encode("<|end_of_text|>", recognisingSpecialTokens: false)
    #expect(!plain.contains(1))
    #expect(tokenizer.decode(plain) == "<|end_of_text|>")
  }

  @Test func idsOutOfRange() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    for token in [-1, tokenizer.count, Int.max, Int.min] {
      #expect(tokenizer.bytes(of: token).isEmpty)
      #expect(tokenizer.label(of: token).isEmpty)
      #expect(!tokenizer.isSpecial(token))
      #expect(tokenizer.decode([token]) == "")
    }
  }

  @Test func labelsArePrintable() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    func label(_ text: String) -> String {
      tokenizer.encode(text).map(tokenizer.label).joined(separator: "|")
    }
    #expect(label(" the") == "␣the")
    #expect(label("\n") == "⏎")
    #expect(label("\t") == "⇥")
    #expect(label("\u{1B}") == "\\x1b")
    #expect(label("é") == "\\xc3|\\xa9")
    #expect(tokenizer.label(of: 0) == "<|begin_of_text|>")
    for token in 0..<tokenizer.count {
      let label = tokenizer.label(of: token)
      #expect(!label.isEmpty && !label.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
    }
  }

  /// The space that the tokenizer puts in front of a text goes again; the text's own spaces stay.
  @Test func spacePrefix() throws {
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "llama")
    file.set("tokenizer.ggml.tokens", ["<unk>", "<s>", "▁", "a", "▁a", "<0xC3>", "<0xA9>"])
    file.set("tokenizer.ggml.token_type", [2, 3, 1, 1, 1, 6, 6])
    file.set("tokenizer.ggml.scores", [0, 0, -1, -2, -3, 0, 0] as [Float])
    file.set("tokenizer.ggml.bos_token_id", 1)
    let tokenizer = try file.tokenizer()
    for (text, tokens) in [
      ("a", [1, 4]), (" a", [1, 2, 4]), ("é", [1, 2, 5, 6]), ("a a", [1, 4, 4]), ("", [1]), ("ü", [1, 2, 0]),
    ] {
      #expect(tokenizer.encode(text) == tokens, "\(text)")
      if text != "ü" { #expect(tokenizer.decode(tokens, skippingSpecialTokens: true) == text) }
    }
    #expect(stream(tokenizer, [4, 4]) == ["a", " a", ""])
    #expect(tokenizer.encode("<s>a", addingSpecialTokens: false) == [1, 4])
    #expect(tokenizer.encode("<0xC3>", addingSpecialTokens: false).contains(5) == false)
  }

  @Test func wordPieces() throws {
    let path = try TokenizerFixtures.model("all-minilm-l6-v2/tokenizer.json")
    let tokenizer = try Tokenizer(folder: String(path.dropLast("/tokenizer.json".count)))
    let tokens = tokenizer.encode("Tokenization, isn't it? Unbelievable.")
    #expect(tokenizer.decode(tokens) == "[CLS] tokenization, isn ' t it? unbelievable. [SEP]")
    #expect(
      tokenizer.decode(tokens, skippingSpecialTokens: true) == "tokenization, isn ' t it? unbelievable.")
    #expect(stream(tokenizer, tokens).joined() == tokenizer.decode(tokens))
    #expect(tokenizer.encode(String(repeating: "a", count: 101)) == [101, 100, 102])
    #expect(tokenizer.encode(String(repeating: "a", count: 100)).contains(100) == false)
  }
}
