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

  /// The file's tokens come from merging the best pair until none is left, which leaves every space of a run by itself; Gemma's own
  /// tokenizer has a token for the run.
  @Test func gemma3() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: GenerationFixtures.model("gemma3-270m/model.gguf")))
    let single = try #require(
      (0..<tokenizer.count).first { tokenizer.bytes(of: $0) == [0x20] && !tokenizer.isSpecial($0) })
    for text in try GenerationFixtures.read("gemma3.json", as: [Text].self) {
      let ids = tokenizer.encode(text.text).flatMap { token -> [Int] in
        let bytes = tokenizer.bytes(of: token)
        let isRun = bytes.count > 1 && bytes.allSatisfy { $0 == 0x20 }
        return isRun ? Array(repeating: single, count: bytes.count) : [token]
      }
      #expect(ids == text.ids, "\(text.text.prefix(60))")
    }
  }
}
