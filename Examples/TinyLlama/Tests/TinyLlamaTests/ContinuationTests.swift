import Attention
import Foundation
import TensorFiles
import Testing

import Llama
@testable import Serving

/// The model against logits and tokens that were computed elsewhere, in Float64 from the same weights.
struct ContinuationTests {
  static let model = Result { try Llama(folder: Llama.modelFolder) }

  @Test(arguments: Expected.indices) func tokensAndLogits(_ index: Int) throws {
    let model = try Self.model.get()
    let one = try Expected.all().cases[index]
    let pool = try model.makePool(pages: 16)
    let step = try KeyValueStep([pool.makeSequence()], appending: [one.tokenIds])
    let logits = try model([one.tokenIds], step)
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
    let sequence = try model.makePool(pages: 16).makeSequence()
    let step = try KeyValueStep([sequence], appending: [[0, 1024]])
    #expect(throws: AttentionError("tokens", "1024 given, expected one in 0..<1024")) {
      try model([[0, 1024]], step)
    }
    step.cancel()
    #expect(sequence.count == 0)
  }

  /// Requests that share a pool, steps and pages of their prompts get what they get alone.
  @Test func fiftyRequestsGetWhatTheyGetAlone() throws {
    let model = try Self.model.get()
    let prompts = try Expected.all().cases.map(\.tokenIds)
    let pool = try model.makePool(pages: 120)
    var requests = (0..<50).map { Request(prompt: prompts[$0 % prompts.count]) }
    try answer(&requests, length: 20, model, pool)
    for (index, prompt) in prompts.enumerated() {
      let alone = try model.continuation(of: prompt, count: 20)
      for request in stride(from: index, to: 50, by: prompts.count) {
        #expect(requests[request].reply == alone, "request \(request)")
      }
    }
    #expect(pool.freePages == pool.pages)
  }

  /// The README shows these two files.
  @Test(arguments: ["Llama/Llama+Generation.swift", "Serving/Serving.swift"]) func standsInTheReadme(
    path: String
  ) throws {
    let package = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
    let readme = try String(
      contentsOf: package.appending(path: "../../README.md").standardized, encoding: .utf8)
    let code = try String(contentsOf: package.appending(path: "Sources/\(path)"), encoding: .utf8)
    let start = try #require(
      code.range(of: "  package func continuation") ?? code.range(of: "/// A request on its way"))
    let end = try #require(
      code.range(of: "\n/// The token with") ?? code.range(of: "\n}\n", options: .backwards))
    let shown = code[start.lowerBound..<end.lowerBound].split(separator: "\n")
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.count > 1 }
    let lines = Set(readme.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
    #expect(shown.filter { !lines.contains($0) } == [])
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
