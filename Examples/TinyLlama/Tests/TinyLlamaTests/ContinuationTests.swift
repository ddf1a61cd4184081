import Attention
import Foundation
import TensorFiles
import Testing

@testable import TinyLlama

/// The model against logits and tokens that were computed elsewhere, in Float64 from the same weights.
struct ContinuationTests {
  static let model = Result { try Llama(folder: Command.modelFolder) }

  @Test(arguments: Expected.indices) func tokensAndLogits(_ index: Int) throws {
    let model = try Self.model.get()
    let one = try Expected.all().cases[index]
    var caches = model.makeCaches()
    let logits = try model(one.tokenIds, &caches)
    let expected = try Expected.logits(index)
    let difference = try logits.reshaped(to: expected.shape).maximumDifference(expected)
    #expect(difference <= 1e-4, "logits after \(one.prompt)")
    let tokens = try model.continuation(of: one.tokenIds, count: one.greedyTokenIds.count)
    #expect(tokens == one.greedyTokenIds, "after \(one.prompt)")
  }

  @Test func allCasesOfTheFileAreChecked() throws {
    #expect(try Expected.all().cases.indices == Expected.indices)
  }

  @Test func refusesTokensBeyondTheVocabulary() throws {
    let model = try Self.model.get()
    var caches = model.makeCaches()
    #expect(throws: AttentionError("tokens", "1024 given, expected one in 0..<1024")) {
      try model([0, 1024], &caches)
    }
    #expect(caches[0].count == 0)
  }
}

/// The file `expected.json`, and the logits beside it.
struct Expected: Decodable {
  struct Case: Decodable {
    let prompt: String
    let tokenIds, greedyTokenIds: [Int]
  }
  let cases: [Case]

  /// The cases, as tests want to know them beforehand.
  static let indices = 0..<8

  private static let folder = Bundle.module.bundleURL.appending(path: "Expected")

  static func all() throws -> Expected {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Expected.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
  }

  /// The logits after each token of a prompt: `[T, vocabulary]`.
  static func logits(_ index: Int) throws -> Tensor<Float> {
    try SafetensorsFile(path: folder.appending(path: "expected-logits.safetensors").path())
      .tensor("logits.\(index)")
  }
}
