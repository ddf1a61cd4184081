import Testing
import Transformer

/// Tokens that are recognised in the text itself.
@Suite struct AddedTokenTests {
  /// A tokenizer of the letters a to d and the space, with one added token.
  private func tokenizer(_ tokens: [(text: String, flags: String)]) throws -> Tokenizer {
    let added = tokens.enumerated().map { #"{"id": \#($0 + 5), "content": "\#($1.text)"\#($1.flags)}"# }
    let json = """
      {"added_tokens": [\(added.joined(separator: ","))],
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
       "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "Ġ": 4}, "merges": []}}
      """
    return try Tokenizer(json: Array(json.utf8), name: "made")
  }

  @Test func theLongestOfThoseThatStartFirst() throws {
    let tokenizer = try tokenizer([("ab", ""), ("abc", ""), ("bcd", ""), ("abcda", "")])
    #expect(tokenizer.encode("abcd") == [6, 3])
    #expect(tokenizer.encode("abcda") == [8])
    #expect(tokenizer.encode("aabcb") == [0, 6, 1])
    #expect(tokenizer.encode("bcdab") == [7, 5])
  }

  @Test func whiteSpaceBelongsToIt() throws {
    let tokenizer = try tokenizer([("<l>", #", "lstrip": true"#), ("<r>", #", "rstrip": true"#)])
    #expect(tokenizer.encode("a  <l> b") == [0, 5, 4, 1])
    #expect(tokenizer.encode("a <r>  b") == [0, 4, 6, 1])
    #expect(tokenizer.encode("<r>  <l>") == [6, 5])
    #expect(tokenizer.encode(" \u{3000}\n<l>") == [5])
  }

  @Test func aSingleWord() throws {
    let tokenizer = try tokenizer([("ab", #", "single_word": true"#)])
    #expect(tokenizer.encode("ab ab") == [5, 4, 5])
    #expect(tokenizer.encode("cab") == [2, 0, 1])
    #expect(tokenizer.encode("abc") == [0, 1, 2])
    #expect(tokenizer.encode("-ab-") == [5])
    // Marks, digits and letters of any script are of words.
    for neighbour in ["é", "1", "_", "東", "\u{301}"] {
      #expect(!tokenizer.encode("ab\(neighbour)").contains(5), "\(neighbour)")
    }
  }

  @Test func onlySpecialOnesCanBeLeftOut() throws {
    let tokenizer = try tokenizer([("<s>", #", "special": true"#), ("<t>", ""), ("<|im_end|>", "")])
    #expect(tokenizer.encode("a<s><t>", recognisingSpecialTokens: false) == [0, 6])
    #expect(tokenizer.isSpecial(5) && !tokenizer.isSpecial(6))
    // A marker of chats that the file does not call special.
    #expect(tokenizer.isSpecial(7) && tokenizer.end == [7])
    #expect(tokenizer.encode("<|im_end|>", recognisingSpecialTokens: false) == [3])
  }

  /// A marker of chats that a GGUF file calls user-defined cannot be written by users, nor put together by merging.
  @Test func markersAreSpecial() throws {
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "llama")
    file.set(
      "tokenizer.ggml.tokens",
      ["<unk>", "<", "|", "user", "u", "|>", "<|", "<|user", "s", "e", "r", ">", "<|user|>"])
    file.set("tokenizer.ggml.token_type", [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4])
    file.set("tokenizer.ggml.scores", [Float](repeating: -1, count: 13))
    file.set("tokenizer.ggml.add_space_prefix", false)
    let tokenizer = try file.tokenizer()
    #expect(tokenizer.isSpecial(12))
    #expect(tokenizer.encode("<|user|>") == [12])
    let plain = tokenizer.encode("<|user|>", recognisingSpecialTokens: false)
    #expect(!plain.contains(12) && tokenizer.decode(plain) == "<|user|>", "\(plain)")
  }
}
