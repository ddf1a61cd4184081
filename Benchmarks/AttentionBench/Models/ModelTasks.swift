import BenchmarkKit
import Foundation
import TensorFiles
import Tensors
import Transformer

/// What is measured of language models: prompts of some lengths, and tokens after contexts of some lengths.
struct ModelTasks {
  let prompts: [Int]
  let contexts: [Int]
  /// Tokens that are generated after each context.
  let count: Int
  /// Token ids of a real text, as often as it takes.
  private let ids: [Int]

  init(model: String, prompts: [Int], contexts: [Int], count: Int) throws {
    self.prompts = prompts
    self.contexts = contexts
    self.count = count
    let text = try Self.text()
    ids = try Tokenizer(gguf: GGUFFile(path: model)).encode(text, addingSpecialTokens: false)
  }

  /// A real text: the Mozilla Public License 2.0.
  static func text() throws -> String {
    guard let url = Bundle.module.url(forResource: "Resources/mozilla-public-license", withExtension: "txt")
    else { throw BenchmarkError("the program's resources are not beside it") }
    return try String(contentsOf: url, encoding: .utf8)
  }

  /// The first tokens, from `start` on.
  func tokens(_ count: Int, from start: Int = 0) -> [Int] {
    (start..<start + count).map { ids[$0 % ids.count] }
  }

  /// Runs of 3 to 120 words of the text, the same ones always.
  static func sentences(_ count: Int) throws -> [String] {
    let words = try text().split(whereSeparator: \.isWhitespace)
    let random = RandomStream(seed: 7)
    return (0..<count).map { index in
      let length = 3 + Int(random.bits(2 * index) % 118)
      let first = Int(random.bits(2 * index + 1) % UInt64(words.count - length))
      return words[first..<first + length].joined(separator: " ")
    }
  }
}

/// What was measured of one contender.
struct ModelRow: Codable {
  let name: String
  let version: String
  var call: String?
  var refusal: String?
  var loadSeconds: Double?
  var peakBytes: Int?
  /// Medians over the rounds, of tokens a second, by the length of the prompt or context.
  var promptRates: [Int: Double] = [:]
  var generationRates: [Int: Double] = [:]
  /// Medians of sentences a second.
  var sentenceRate: Double?
  /// How many times as fast prompts are together as one after the other.
  var batchGain: Double?
}
