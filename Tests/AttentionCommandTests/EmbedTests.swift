import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// `attention embed` on a small model: what it writes and where.
@Suite struct EmbedTests {
  private static let texts = ["red car", "blue trees", "", "green \"car\" \\ \u{202E}\u{1B}[31m", "red cars"]

  /// Of vectors of length 1.
  private func cosine(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  @Test func argumentsAndLinesGiveTheSameVectors() throws {
    let model = try EmbedModel()
    let arguments = try model.run(Self.texts)
    try #require(arguments.status == 0, "\(arguments)")
    let rows = try EmbeddedText.all(arguments.standardOutput)
    #expect(rows.map(\.text) == Self.texts)
    for row in rows {
      #expect(row.embedding.count == EmbedModel.width)
      #expect(abs(row.embedding.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5, "\(row)")
    }
    // What could move a terminal's cursor or turn a line is escaped.
    #expect(!arguments.standardOutput.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" })
    for (ending, last, flags) in [("\n", "\n", ["-"]), ("\n", "", []), ("\r\n", "\r\n", [])] {
      let input = Array((Self.texts.joined(separator: ending) + last).utf8)
      let lines = try model.run(flags, input: input)
      #expect(lines.standardOutput == arguments.standardOutput, "\(lines)")
    }
  }

  @Test func ratesGoToStandardError() throws {
    let result = try EmbedModel().run(Self.texts)
    #expect(result.errorLines.count == 1, "\(result)")
    let pattern =
      /5 sentences, \d+ tokens in [0-9.e-]+ s \(\d+ sentences\/s, \d+ tokens\/s\); model loaded in [0-9.e-]+ s/
    #expect(result.errorLines.first?.wholeMatch(of: pattern) != nil, "\(result)")
  }

  @Test(arguments: ["f32", "f16", "bf16", "int8"]) func filesHoldTheVectors(weights: String) throws {
    let model = try EmbedModel()
    let flags = Self.texts + ["--weights", weights]
    let expected = try EmbeddedText.all(model.run(flags).standardOutput).flatMap(\.embedding)
    let directory = try TemporaryDirectory(["vectors.npy": "old"])
    func write(_ format: String, _ name: String) throws -> String {
      let result = try model.run(flags + ["--format", format, "-o", directory.file(name)])
      #expect(result.status == 0 && result.standardOutput.isEmpty, "\(result)")
      return directory.file(name)
    }
    let matrix: Tensor<Float> = try NumPyFile(path: write("npy", "vectors.npy")).tensor()
    #expect(matrix.shape == [5, EmbedModel.width] && matrix.elements == expected)
    let file = try SafetensorsFile(path: write("safetensors", "vectors.safetensors"))
    #expect(file.names == ["embeddings"])
    #expect(try file.tensor("embeddings", convertedTo: Float.self).elements == expected)
    let lines = try String(contentsOfFile: write("jsonl", "vectors.jsonl"), encoding: .utf8)
    #expect(try EmbeddedText.all(lines).flatMap(\.embedding) == expected)
    #expect(try directory.contents() == ["vectors.jsonl", "vectors.npy", "vectors.safetensors"])
  }

  @Test func weightsMatterALittle() throws {
    let model = try EmbedModel()
    let all = try ["f32", "f16", "bf16", "int8"].map {
      try EmbeddedText.all(model.run(Self.texts + ["--weights", $0]).standardOutput)
    }
    for other in all.dropFirst() {
      for (exact, rounded) in zip(all[0], other) {
        let cosine = cosine(exact.embedding, rounded.embedding)
        #expect(cosine > 0.99 && exact.embedding != rounded.embedding, "\(cosine)")
      }
    }
  }

  @Test func similarPairsAreThoseOfTheVectors() throws {
    let model = try EmbedModel()
    let texts = ["red car", "blue tree", "red cars", "green", "red car"]
    let vectors = try EmbeddedText.all(model.run(texts).standardOutput).map(\.embedding)
    var cosines: [Float] = []
    for first in texts.indices {
      for second in texts.indices where second > first {
        cosines.append(cosine(vectors[first], vectors[second]))
      }
    }
    cosines.sort(by: >)
    for (flags, count) in [(["--similar"], 10), (["--similar", "3"], 3), (["--similar=100"], 10)] {
      let result = try model.run(texts + flags)
      try #require(result.status == 0, "\(result)")
      let lines = result.standardOutput.split(separator: "\n")
      #expect(lines.count == count + 1 && lines[0].hasPrefix("cosine"), "\(result)")
      let shown = lines.dropFirst().compactMap { Float($0.split(separator: " ")[0]) }
      #expect(zip(shown, cosines).allSatisfy { abs($0 - $1) < 1e-4 } && shown.count == count, "\(result)")
      #expect(lines[1].contains("1.0000  red car    red car"), "\(result)")
    }
  }

  @Test func similarPairsAndAFileGoTogether() throws {
    let model = try EmbedModel()
    let directory = try TemporaryDirectory()
    let long = String(repeating: "red \u{7} ", count: 40)
    let result = try model.run([
      long, "blue", "--similar", "1", "--format", "npy", "-o", directory.file("v.npy"),
    ])
    #expect(result.status == 0 && result.standardOutput.contains("…"), "\(result)")
    #expect(
      result.standardOutput.contains(#"\u{7}"#) && !result.standardOutput.contains("\u{7}"), "\(result)")
    #expect(try NumPyFile(path: directory.file("v.npy")).shape == [2, EmbedModel.width])
  }

  @Test func aTextThatIsTooLongIsCutAndSaidToBe() throws {
    let model = try EmbedModel(longest: 6)
    let result = try model.run(["red", "red green blue car tree", "red green blue car"])
    #expect(
      result.errorLines.first
        == "attention: warning: 1 text has more than 6 tokens and lost the end; the first is text 2, of 7 tokens",
      "\(result)")
    let rows = try EmbeddedText.all(result.standardOutput)
    #expect(rows[1].embedding == rows[2].embedding && rows[0].embedding != rows[1].embedding)
  }

  @Test func linesOfManyChunksKeepTheirOrder() throws {
    let model = try EmbedModel()
    let texts = (0..<2500).map { EmbedModel.tokens[4 + $0 % 5] + " \($0 % 7 == 0 ? "car" : "trees")" }
    let result = try model.run(["-", "--threads", "2"], input: Array(texts.joined(separator: "\n").utf8))
    let rows = try EmbeddedText.all(result.standardOutput)
    try #require(rows.map(\.text) == texts)
    for (index, row) in rows.enumerated() where index >= 35 {
      #expect(row.embedding == rows[index % 35].embedding)
    }
  }
}
