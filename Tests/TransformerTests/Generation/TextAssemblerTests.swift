import Testing

@testable import Transformer

@Suite struct TextAssemblerTests {
  /// The text up to the first place where a stop text is complete, found by looking at every prefix.
  private func cut(_ text: String, at stops: [String]) -> (text: String, isStopped: Bool) {
    let bytes = Array(text.utf8)
    for end in 0...bytes.count {
      let starts = stops.map { Array($0.utf8) }.filter { bytes[..<end].suffix($0.count).elementsEqual($0) }
        .map { end - $0.count }
      if let start = starts.min() { return (String(decoding: bytes[..<start], as: UTF8.self), true) }
    }
    return (text, false)
  }

  @Test(arguments: [
    [], ["b"], ["ab"], ["aab", "ba"], ["abc", "b"], ["ca", "cab"], ["é"], ["aé", "東京"], ["no such text"],
  ]) func stopsWhereATextIsComplete(stops: [String]) throws {
    let tokenizer = try GenerationFixtures.tiny.get().tokenizer
    for seed in 0..<60 {
      var state = UInt64(seed) &* 7_919 &+ 17
      var text = ""
      for _ in 0..<12 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += ["a", "b", "c", "é", "東京", "😀"][Int(state >> 33) % 6]
      }
      let tokens = tokenizer.encode(text, addingSpecialTokens: false)
      var assembler = TextAssembler(tokenizer, stops: stops)
      var pieces: [String] = []
      for (index, token) in tokens.enumerated() {
        pieces.append(assembler.append(token, isLast: index == tokens.count - 1))
      }
      let expected = cut(text, at: stops)
      #expect(pieces.joined() == expected.text, "\(text), stops \(stops), pieces \(pieces)")
      #expect(assembler.isStopped == expected.isStopped, "\(text), stops \(stops)")
      #expect(!pieces.joined().unicodeScalars.contains("\u{FFFD}"), "\(pieces)")
    }
  }

  @Test func withoutStopsWholeCharactersComeAtOnce() throws {
    let tokenizer = try GenerationFixtures.tiny.get().tokenizer
    var assembler = TextAssembler(tokenizer)
    let pieces = tokenizer.encode("a😀b", addingSpecialTokens: false).map { assembler.append($0) }
    #expect(pieces == ["a", "", "", "", "😀", "b"])
    #expect(assembler.finish() == "")
  }

  @Test func halfACharacterAtTheEndIsSaid() throws {
    let tokenizer = try GenerationFixtures.tiny.get().tokenizer
    let tokens = tokenizer.encode("a😀", addingSpecialTokens: false).dropLast()
    var assembler = TextAssembler(tokenizer, stops: ["x"])
    var text = ""
    for token in tokens { text += assembler.append(token) }
    #expect(text == "a")
    #expect(assembler.finish() == "\u{FFFD}")
  }
}
