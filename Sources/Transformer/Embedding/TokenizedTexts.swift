import LinearAlgebra
import Parallelism

/// Texts as a sentence encoder computes them: as tokens, cut to its limit.
package struct TokenizedTexts: Sendable {
  /// Of each text.
  package let tokens: [[Int]]
  /// The texts that were longer than the limit, and how many tokens they had.
  package let cut: [(text: Int, tokens: Int)]

  /// All tokens.
  package var tokenCount: Int { tokens.reduce(0) { $0 + $1.count } }

  /// How many tokens are computed together: few, so that what one layer writes is still in the cache when the next one reads it (with
  /// 4096 tokens Float32 weights are 5 % slower than with 512), and some for each thread, so that none waits.
  private static func tokensOfBatch(threads: Int) -> Int { max(512, 128 * threads) }

  /// Texts that are computed together, in their order. Without padding, sorting them by length would gain nothing.
  func batches(threads: Int) -> [Range<Int>] {
    let limit = Self.tokensOfBatch(threads: threads)
    var result: [Range<Int>] = []
    var (first, count) = (0, 0)
    for (text, own) in tokens.enumerated() {
      if count > 0, count + own.count > limit {
        result.append(first..<text)
        (first, count) = (text, 0)
      }
      // A text without tokens counts too, so that no batch has texts without end.
      count += max(own.count, 1)
    }
    if first < tokens.count { result.append(first..<tokens.count) }
    return result
  }
}

extension SentenceEncoder {
  /// The tokens of texts; several threads work on them.
  package func tokenized(_ texts: ArraySlice<String>) -> TokenizedTexts {
    let texts = Array(texts)
    var all = [(tokens: [Int], full: Int)](repeating: ([], 0), count: texts.count)
    all.withUnsafeMutableBufferPointer { all in
      // Some ten texts a task: one takes as long as a hand-over to another thread.
      forEachRow(texts.count, work: 1 << 10, on: encoder.workers) { all[$0] = tokenized(texts[$0]) }
    }
    let cut = all.enumerated().filter { $1.tokens.count < $1.full }.map { (text: $0, tokens: $1.full) }
    return TokenizedTexts(tokens: all.map(\.tokens), cut: cut)
  }

  /// The tokens of a text, and how many it had before it was cut.
  func tokenized(_ text: String) -> (tokens: [Int], full: Int) {
    var tokens = tokenizer.encode(lowercases ? text.lowercased() : text)
    let full = tokens.count
    if full > longest {
      tokens.removeSubrange(longest - tokenizer.suffix.count..<full - tokenizer.suffix.count)
    }
    return (tokens, full)
  }
}
