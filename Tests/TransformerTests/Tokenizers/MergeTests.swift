import TensorFiles
import Testing
import Transformer

/// Merging against its definition: look at all neighbours, merge the best, start again.
@Suite struct MergeTests {
  /// A vocabulary of the letters a to d and of random joins of two of its own tokens.
  private struct Words {
    var tokens = ["<unk>", "a", "b", "c", "d"]
    var merges: [(String, String)] = []

    init(_ random: inout TokenizerRandom, joins: Int) {
      while merges.count < joins {
        let left = tokens[Int.random(in: 1..<tokens.count, using: &random)]
        let right = tokens[Int.random(in: 1..<tokens.count, using: &random)]
        if merges.contains(where: { $0 == (left, right) }) { continue }
        merges.append((left, right))
        if !tokens.contains(left + right) { tokens.append(left + right) }
      }
    }
  }

  /// The definition. `rank`: how early two neighbours merge, nil if never.
  private func merged(_ text: String, _ rank: (String, String) -> Float?) -> [String] {
    var parts = text.map(String.init)
    while true {
      var best: (rank: Float, index: Int)?
      for index in parts.indices.dropLast() {
        if let rank = rank(parts[index], parts[index + 1]), best == nil || rank < best!.rank {
          best = (rank, index)
        }
      }
      guard let best else { return parts }
      parts[best.index] += parts.remove(at: best.index + 1)
    }
  }

  private func text(_ random: inout TokenizerRandom, longest: Int) -> String {
    let letters = Int.random(in: 1...4, using: &random)
    return String(
      (0..<Int.random(in: 1...longest, using: &random)).map { _ in
        "abcd".randomElement(using: &random) ?? "a"
      }.map { letters == 1 ? "a" : $0 })
  }

  @Test(arguments: 0..<40) func pairs(seed: Int) throws {
    var random = TokenizerRandom(UInt64(seed))
    let words = Words(&random, joins: Int.random(in: 1...60, using: &random))
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "gpt2")
    file.set("tokenizer.ggml.tokens", words.tokens)
    file.set("tokenizer.ggml.merges", words.merges.map { "\($0) \($1)" })
    let tokenizer = try file.tokenizer()
    for longest in [5, 39, 60, 300] {
      let text = text(&random, longest: longest)
      let expected = merged(text) { left, right in
        words.merges.firstIndex { $0 == (left, right) }.map(Float.init)
      }
      #expect(
        tokenizer.encode(text).map { words.tokens[$0] } == expected, "seed \(seed), \(text), \(words.merges)")
    }
  }

  /// Scores with ties, which the leftmost wins; neighbours whose join is no join of tokens that were made.
  @Test(arguments: 0..<40) func scores(seed: Int) throws {
    var random = TokenizerRandom(UInt64(seed) + 1000)
    let words = Words(&random, joins: Int.random(in: 1...60, using: &random))
    let choices: [Float] = [-3, -2.5, -0.0, 0, 1e-40, 2, -1e30, -.infinity]
    let scores: [Float] = words.tokens.map { _ in choices.randomElement(using: &random) ?? 0 }
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "llama")
    file.set("tokenizer.ggml.tokens", words.tokens)
    file.set("tokenizer.ggml.token_type", [2] + words.tokens.dropFirst().map { _ in 1 })
    file.set("tokenizer.ggml.scores", scores)
    file.set("tokenizer.ggml.add_space_prefix", false)
    let tokenizer = try file.tokenizer()
    for longest in [5, 39, 60, 300] {
      let text = text(&random, longest: longest)
      let expected = merged(text) { left, right in
        words.tokens.firstIndex(of: left + right).map { -scores[$0] }
      }
      let message = "seed \(seed), \(text), \(zip(words.tokens, scores).map { "\($0) \($1)" })"
      #expect(tokenizer.encode(text).map { words.tokens[$0] } == expected, "\(message)")
    }
  }

  /// A megabyte of one letter, which takes an hour if each merge looks at all of it.
  @Test(.timeLimit(.minutes(1))) func aMegabyteOfOneLetter() throws {
    let tokenizer = try TokenizerFixtures.tinyLlama()
    let text = String(repeating: "a", count: 1 << 20)
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "llama")
    file.set("tokenizer.ggml.tokens", ["<unk>", "a", "aa", "aaaa", "a a"])
    file.set("tokenizer.ggml.token_type", [2, 1, 1, 1, 1])
    file.set("tokenizer.ggml.scores", [0, -1, -2, -3, -4] as [Float])
    file.set("tokenizer.ggml.add_space_prefix", false)
    #expect(try file.tokenizer().encode(text) == [Int](repeating: 3, count: 1 << 18))
  }

  /// Words are cut at spaces only where no token reaches across one.
  @Test func tokensAcrossSpaces() throws {
    var file = GGUFBytes()
    file.set("tokenizer.ggml.model", "llama")
    file.set("tokenizer.ggml.tokens", ["<unk>", "▁", "a", "b", "a▁", "a▁b", "▁b"])
    file.set("tokenizer.ggml.token_type", [2, 1, 1, 1, 1, 1, 1])
    file.set("tokenizer.ggml.scores", [0, -1, -2, -3, -4, -5, -6] as [Float])
    file.set("tokenizer.ggml.add_space_prefix", false)
    let tokenizer = try file.tokenizer()
    #expect(tokenizer.encode("a b") == [5])
    #expect(tokenizer.encode("b b") == [3, 6])
    file.set("tokenizer.ggml.add_bos_token", false)
    #expect(try file.tokenizer().encode("bx b") == [3, 0, 6])
  }
}
