import Attention
import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import Testing

@testable import Transformer

/// What tests of generation read: models, and what was computed of them elsewhere.
enum GenerationFixtures {
  /// A text with what PyTorch or a Float64 reference made of it.
  struct Text: Decodable, Sendable {
    let ids: [Int]
    let nll: Double
    let top8: [[Double]]
    /// Greedy tokens, and by how much each led the second one.
    let continuation: [Int]
    let margins: [Double]
  }

  struct LongText: Decodable {
    let ids: [Int]
    let nll: Double
  }

  struct TinyCases: Decodable {
    struct Case: Decodable, Sendable {
      let prompt: String
      let tokenIds, greedyTokenIds: [Int]
      let smallestTop2Gap: Double
    }
    let cases: [Case]
  }

  static func read<Value: Decodable>(_ name: String, as _: Value.Type = Value.self) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Value.self, from: Data(contentsOf: URL(filePath: path(name))))
  }

  static func path(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(name)").path
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static let tinyPath = root.appendingPathComponent("Sources/AttentionCommand/TinyLlama").path

  static let tiny = Result { try LanguageModel(path: tinyPath, weights: .float32) }

  static let tinyCases = Result { try read("tiny-llama-expected.json", as: TinyCases.self).cases }

  /// A file of a model that `make models` downloads.
  static func model(_ name: String) throws -> String {
    let path = root.appendingPathComponent("Models/\(name)").path
    guard FileManager.default.fileExists(atPath: path) else {
      throw ModelError(path, "there is no such file: run `make models`")
    }
    return path
  }

  static let smolPath = "smollm2-135m-instruct/model.gguf"
  static let smolFloat = Result { try LanguageModel(path: model(smolPath), weights: .float32) }

  /// Greedy, in Float32 throughout.
  static func exact(_ count: Int) -> GenerationOptions {
    GenerationOptions(maximumTokens: count, keys: .float32, values: .float32)
  }
}

extension TokenSource {
  /// All tokens to the end.
  func rest() throws -> [Int] {
    var tokens: [Int] = []
    while let token = try next() { tokens.append(token) }
    return tokens
  }
}

/// Greedy tokens of one text alone.
func alone(
  _ model: LanguageModel, _ prompt: [Int], _ options: GenerationOptions
) throws -> [Int] {
  let session = try GenerationSession(model, options)
  try session.prefill(prompt)
  return try session.rest()
}

/// Greedy tokens of one text alone, and by how much each led the second one.
func aloneWithMargins(
  _ model: LanguageModel, _ prompt: [Int], _ options: GenerationOptions
) throws -> (tokens: [Int], margins: [Double]) {
  let session = try GenerationSession(model, options)
  try session.prefill(prompt)
  var (tokens, margins): ([Int], [Double]) = ([], [])
  while let token = try session.next() {
    let two = session.largestLogits(2)
    tokens.append(token)
    margins.append(Double(two[0].logit - two[1].logit))
  }
  return (tokens, margins)
}

/// Expects greedy tokens to be those of a reference up to a first difference where two logits were within `slack` of each other.
func expectGreedy(
  _ tokens: [Int], _ expected: [Int], margins: [Double], slack: Double = 0.02, _ comment: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(tokens.count == expected.count, "\(comment)", sourceLocation: sourceLocation)
  guard let index = zip(tokens, expected).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return }
  #expect(
    margins[index] <= slack,
    "\(comment): token \(index) is \(tokens[index]), expected \(expected[index]), which led by \(margins[index])",
    sourceLocation: sourceLocation)
}
