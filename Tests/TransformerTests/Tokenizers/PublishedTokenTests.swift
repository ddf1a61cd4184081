import Foundation
import TensorFiles
import Testing
import Transformer

/// Texts and their tokens as other programs made them from the published vocabularies.
@Suite struct PublishedTokenTests {
  struct Text: Decodable {
    let text: String
    let ids: [Int]
  }

  @Test func smolLM2() throws {
    let tokenizer = try Tokenizer(
      gguf: GGUFFile(path: GenerationFixtures.model("smollm2-135m-instruct/model.gguf")))
    for text in try GenerationFixtures.read("smollm2.json", as: [Text].self) {
      #expect(tokenizer.encode(text.text) == text.ids, "\(text.text.prefix(60))")
    }
  }

  /// The file's tokens come from merging the best pair until none is left, which leaves the spaces of a run by themselves; Gemma's own
  /// tokenizer has a token for the run. Both spell the same text, and agree up to the first run.
  @Test func gemma3() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: GenerationFixtures.model("gemma3-270m/model.gguf")))
    for text in try GenerationFixtures.read("gemma3.json", as: [Text].self) {
      let ids = tokenizer.encode(text.text)
      guard let run = text.text.range(of: "  ") else {
        #expect(ids == text.ids, "\(text.text.prefix(60))")
        continue
      }
      let before = tokenizer.encode(String(text.text[..<run.lowerBound]))
      #expect(ids.starts(with: before) && text.ids.starts(with: before), "\(text.text.prefix(60))")
      #expect(tokenizer.decode(ids) == tokenizer.decode(text.ids), "\(text.text.prefix(60))")
    }
  }
}
