import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// `attention inspect` on small cases with known answers, and on the tensors of a real layer.
@Suite struct InspectTests {
  /// A layer of MiniLM with its tokens; it belongs to the benchmark.
  static let layer = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Benchmarks/AttentionBench/Resources/minilm-layer3-qkv.safetensors").path

  /// Two heads, three queries, four keys. Scores are 0, so weights are 1/4. The values of head 0 have the lengths
  /// 1, 2, 0 and 8 in one direction, those of head 1 are unit vectors in two.
  static func uniform(_ metadata: [String: String] = [:]) throws -> CaseContents {
    let values: [Float] = [1, 0, 2, 0, 0, 0, -8, 0] + [1, 0, 0, 1, 1, 0, 0, -1]
    return CaseContents(
      metadata,
      [
        "Q": Tensor<Float>.zeros([1, 2, 3, 2]), "K": Tensor<Float>.zeros([1, 2, 4, 2]),
        "V": try Tensor(values, shape: [1, 2, 4, 2]),
      ])
  }

  /// Runs the command on a case and gives its JSON.
  private func json(_ contents: CaseContents, _ flags: [String] = []) throws -> [String: Any] {
    let directory = try TemporaryDirectory()
    let input = try contents.write(to: directory.file("case.safetensors"))
    let result = try runAttention(["inspect", input, "--format", "json"] + flags)
    #expect(result.status == 0, "\(result)")
    #expect(result.standardOutput.hasSuffix("}\n"))
    let value = try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8))
    return try #require(value as? [String: Any])
  }

  @Test func jsonHasTheNumbers() throws {
    let report = try json(Self.uniform(["tokens": #"["a","b","c","d"]"#]), ["--query", "1"])
    #expect(report["queryCount"] as? Int == 3 && report["keyCount"] as? Int == 4)
    #expect(report["name"] as? String == "case.safetensors")
    #expect(report["keyTokens"] as? [String] == ["a", "b", "c", "d"])
    #expect(report["queryTokens"] == nil)
    let heads = try #require(report["heads"] as? [[String: Any]])
    #expect(heads.map { $0["head"] as? Int } == [0, 1])
    #expect(heads[0]["mass"] as? [Double] == [0.75, 0.75, 0.75, 0.75])
    #expect(heads[0]["contributionMass"] as? [Double] == [0.75, 1.5, 0, 6])
    #expect(heads[0]["attendingQueries"] as? Int == 3)
    // 1/4 is exact, ln 4 has the digits of Float: half a step of 2⁻²³.
    for head in heads {
      let entropy = try #require(head["entropy"] as? Double)
      #expect(abs(entropy - log(4)) <= 0x1p-23)
    }
    #expect(abs(try #require(heads[0]["effectiveRank"] as? Double) - 1) < 1e-6)
    #expect(abs(try #require(heads[1]["effectiveRank"] as? Double) - 2) < 1e-6)
    let queries = try #require(heads[0]["queries"] as? [[String: Any]])
    #expect(queries.count == 1 && queries[0]["query"] as? Int == 1)
    #expect(queries[0]["weights"] as? [Double] == [0.25, 0.25, 0.25, 0.25])
    #expect(queries[0]["contributionNorms"] as? [Double] == [0.25, 0.5, 0, 2])
  }

  @Test func numbersThatAreNotFiniteAreNull() throws {
    var contents = try Self.uniform()
    var queries = Tensor<Float>.zeros([1, 2, 3, 2])
    queries[0, 1, 1, 0] = .nan
    contents.tensors["Q"] = queries
    let report = try json(contents, ["--head", "1", "--query", "0...1"])
    let heads = try #require(report["heads"] as? [[String: Any]])
    #expect(heads.count == 1 && heads[0]["entropy"] is NSNull)
    let rows = try #require(heads[0]["queries"] as? [[String: Any]])
    #expect(rows[0]["weights"] as? [Double] == [0.25, 0.25, 0.25, 0.25])
    #expect((rows[1]["weights"] as? [Any])?.allSatisfy { $0 is NSNull } == true)
  }

  @Test func groupedHeadsBatchesMasksAndTypes() throws {
    // Four query heads on two key/value heads, two sequences, the second of which sees two keys.
    let contents = CaseContents(
      ["causal_alignment": "top_left", "is_causal": "1"],
      [
        "Q": Tensor<Double>.zeros([2, 4, 3, 2]), "K": Tensor<Double>.zeros([2, 2, 4, 2]),
        "V": randomTensor([2, 2, 4, 2], seed: 3, as: Double.self),
        "nonpad_kv_seqlen": try Tensor<Int64>([4, 2], shape: [2]),
      ])
    let report = try json(contents, ["--sequence", "1", "--head", "3", "--query", "all"])
    let head = try #require((report["heads"] as? [[String: Any]])?.first)
    #expect(head["keyValueHead"] as? Int == 1)
    let rows = try #require(head["queries"] as? [[String: Any]])
    #expect(
      rows.map { $0["weights"] as? [Double] } == [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0]])
    #expect(head["mass"] as? [Double] == [2, 1, 0, 0])
  }

  @Test func textNamesHeadsKeysAndTokens() throws {
    let result = try runAttention([
      "inspect", Self.layer, "--head", "3,8", "--query", "17", "--top", "2", "--threads", "1",
    ])
    #expect(result.status == 0 && result.standardError.isEmpty, "\(result)")
    let lines = result.standardOutput.split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("minilm_layer3: sequence 0, 174 queries, 174 keys, 12 query heads"))
    let heads = lines.filter { $0.contains(#/^ +\d+ +\d\.\d{3} +\d+\.\d\d of 32 /#) }
    #expect(heads.count == 2 && heads[0].hasPrefix("   3 "), "\(heads)")
    // The sink of this head: most of the weight, little of what arrives.
    let ranking = try #require(lines.firstIndex { $0.contains("by weight received") })
    #expect(lines[ranking + 1].contains(#/^  0 \[CLS\] +\d+\.\d\d +3\d\.\d % +102 ##max /#), "\(lines)")
    #expect(lines.contains { $0.contains(#/^  17 \. +0 \[CLS\] +0\.\d{4} /#) }, "\(lines)")
    #expect(lines.allSatisfy { $0.last != " " })
  }

  @Test func flagsOverrideAttributes() throws {
    let tensors: [String: any WritableTensor] = [
      "Q": randomTensor([2, 3, 32], seed: 4, as: Float.self),
      "K": randomTensor([2, 5, 16], seed: 5, as: Float.self),
      "V": randomTensor([2, 5, 12], seed: 6, as: Float.self),
    ]
    let attributes = [
      "q_num_heads": "4", "kv_num_heads": "2", "is_causal": "1", "softcap": "0.5", "scale": "-2",
      "case": "one",
    ]
    let flags = [
      "--q-num-heads", "4", "--kv-num-heads", "2", "--is-causal", "--softcap", "0.5", "--scale", "-2",
      "--query", "all", "--sequence", "1",
    ]
    let expected = try json(CaseContents(attributes, tensors), ["--query", "all", "--sequence", "1"])
    let others = ["q_num_heads": "8", "is_causal": "0", "scale": "3", "case": "one"]
    for metadata in [["case": "one"], others] {
      let found = try json(CaseContents(metadata, tensors), flags)
      #expect(NSDictionary(dictionary: found) == NSDictionary(dictionary: expected), "\(metadata)")
    }
    let without = try json(
      CaseContents(attributes.merging(["softcap": "0"]) { $1 }, tensors),
      ["--query", "all", "--sequence", "1"])
    #expect(NSDictionary(dictionary: without) != NSDictionary(dictionary: expected))
  }

  @Test func filesAreWrittenWholeAndNothingElse() throws {
    let directory = try TemporaryDirectory()
    let input = try Self.uniform().write(to: directory.file("case.safetensors"))
    let result = try runAttention([
      "inspect", input, "--format", "json", "-o", directory.file("report.json"), "--svg",
      directory.file("map.svg"),
    ])
    #expect(result.status == 0 && result.standardOutput.isEmpty && result.standardError.isEmpty, "\(result)")
    #expect(try directory.contents() == ["case.safetensors", "map.svg", "report.json"])
    let printed = try runAttention(["inspect", input, "--format", "json"])
    let written = try String(contentsOfFile: directory.file("report.json"), encoding: .utf8)
    #expect(written == printed.standardOutput)
  }
}
