import BenchmarkKit
import Foundation
import Testing

@Suite struct BenchmarkShapeTests {
  /// The list that comes with the benchmark, and the same numbers without any of the code under test.
  private static let bundled = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Benchmarks/AttentionBench/Resources/shapes.json")

  @Test func bundledShapesCountTheWorkThatTheirListStates() throws {
    let shapes = try ShapeFile.load(path: Self.bundled.path)
    let stated = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: Self.bundled)) as? [[String: Any]])
    #expect(shapes.count == 34)
    #expect(shapes.count == stated.count)
    for (shape, record) in zip(shapes, stated) {
      let name = Comment(rawValue: shape.name)
      #expect(shape.name == record["name"] as? String)
      #expect(shape.usefulFlops == (record["useful_flops"] as? NSNumber)?.doubleValue, name)
      #expect(
        shape.keyValueBytes(elementBytes: 4) == (record["kv_bytes_f32"] as? NSNumber)?.doubleValue, name)
    }
  }

  /// From decode to prefill nothing but the number of queries changes.
  @Test func theStepsFromDecodeToPrefillDifferInTheirQueriesAlone() throws {
    let shapes = try ShapeFile.load(path: Self.bundled.path)
    let steps = try ["llama-decode", "verify-2", "verify-4", "verify-8", "chunk-16", "verify-32"].map {
      name in
      try #require(shapes.first { $0.name == name }, "\(name)")
    }
    #expect(steps.map(\.sizes.queries) == [1, 2, 4, 8, 16, 32])
    for step in steps {
      let sizes = step.sizes
      let others = [
        sizes.batch, sizes.queryHeads, sizes.keyValueHeads, sizes.keys, sizes.headDim, sizes.valueDim,
      ]
      #expect(others == [1, 32, 8, 4096, 128, 128] && step.mask.kind == .causal, "\(step.name)")
    }
  }

  @Test func whatIsComparedAsksForAsMuchWork() throws {
    let shapes = try ShapeFile.load(path: Self.bundled.path)
    let compared = shapes.filter { $0.compareWith != nil }
    #expect(
      compared.map(\.name) == [
        "bert-softcap", "bert-alibi", "bert-sinks", "gpt2-softcap", "gpt2-alibi", "bert-packed",
        "bert-lengths",
      ])
    for shape in compared {
      let plain = try #require(shapes.first { $0.name == shape.compareWith }, "\(shape.name)")
      #expect(abs(shape.usefulFlops / plain.usefulFlops - 1) < 0.01, "\(shape.name)")
      #expect(shape.sizes.headDim == 64 && plain.sizes.headDim == 64, "\(shape.name)")
      let scores = plain.scores
      let isPlain =
        scores.softcap == nil && !scores.hasALiBi && !scores.hasSinks && plain.storage.keyLengths == nil
      #expect(isPlain && plain.storage.layout == .padded && plain.mask.kind != .lengths, "\(plain.name)")
      // Each differs from its plain shape in one thing.
      let features = [
        shape.scores.softcap != nil, shape.scores.hasALiBi, shape.scores.hasSinks,
        shape.storage.layout == .packed,
        shape.storage.layout == .padded && shape.storage.queryLengths != nil,
      ]
      #expect(features.filter { $0 }.count == 1, "\(shape.name)")
    }
  }

  @Test func featuresAreRead() throws {
    let plain = try Self.shape(#""queries": 4, "keys": 4, "mask": "none""#)
    #expect(plain.scores.softcap == nil && !plain.scores.hasALiBi && !plain.scores.hasSinks)
    #expect(plain.compareWith == nil)
    let all = try Self.shape(
      #""queries": 4, "keys": 4, "mask": "none", "softcap": 2, "alibi": true, "sinks": true"#)
    #expect(all.scores.softcap == 2 && all.scores.hasALiBi && all.scores.hasSinks)
    let none = try Self.shape(#""queries": 4, "keys": 4, "mask": "none", "alibi": false, "sinks": false"#)
    #expect(none.scores == plain.scores)
  }

  @Test(arguments: [#""mask": "lengths""#, #""mask": "causal""#, #""mask": "causal", "left_window_size": 1"#])
  func packedSequencesAreThoseOfPaddedOnesWithoutThePadding(mask: String) throws {
    let fields = #""queries": 5, "keys": 5, "key_lengths": [2, 5], \#(mask)"#
    let packed = try Self.shape(fields + #", "layout": "packed""#)
    let padded = try Self.shape(fields + #", "query_lengths": [2, 5]"#)
    for (sequence, length) in [2, 5].enumerated() {
      #expect(packed.storedQueries(sequence: sequence) == length)
      #expect(packed.storedKeys(sequence: sequence) == length)
      #expect(padded.storedQueries(sequence: sequence) == 5)
      for query in 0..<5 {
        let expected = (0..<length).filter { key in
          if query >= length || (mask.contains("causal") && key > query) { return false }
          return !mask.contains("left_window_size") || key >= query - 1
        }
        for shape in [packed, padded] {
          #expect(
            Array(shape.visibleKeys(sequence: sequence, query: query)) == expected,
            "\(mask), \(shape.storage.layout), sequence \(sequence), query \(query)")
        }
      }
    }
    #expect(packed.usefulFlops == padded.usefulFlops)
    #expect(packed.usefulKeyValueBytes(elementBytes: 4) == padded.usefulKeyValueBytes(elementBytes: 4))
    #expect(packed.keyValueBytes(elementBytes: 4) == Double((2 + 5) * (3 + 5) * 4))
    #expect(padded.keyValueBytes(elementBytes: 4) == Double((5 + 5) * (3 + 5) * 4))
    // Two query heads.
    #expect(
      packed.tensorBytes(elementBytes: 4) == Double((2 + 5) * (3 + 5) * 4 + (2 + 5) * 2 * (3 + 5) * 4))
  }

  @Test(arguments: [
    (#""queries": 4, "keys": 4, "mask": "causal", "left_window_size": 0"#, false),
    (#""queries": 5, "keys": 4, "mask": "causal""#, true),
    (#""queries": 5, "keys": 4, "mask": "none""#, false),
    (#""queries": 4, "keys": 4, "mask": "lengths", "key_lengths": [0, 4]"#, true),
    (#""queries": 4, "keys": 4, "mask": "lengths", "key_lengths": [0, 4], "query_lengths": [0, 4]"#, false),
  ])
  func queriesThatSeeNoKeyAreFound(fields: String, isBlind: Bool) throws {
    #expect(try Self.shape(fields).hasBlindQueries == isBlind)
  }

  @Test func lengthsMoveTheDiagonal() throws {
    let shape = try Self.shape(
      #""queries": 3, "keys": 7, "mask": "causal", "key_lengths": [5, 0], "query_lengths": [2, 3]"#)
    // The last of two queries on the last of five keys.
    #expect((0..<3).map { shape.visibleKeys(sequence: 0, query: $0) } == [0..<4, 0..<5, 0..<0])
    #expect((0..<2).map { shape.position(sequence: 0, query: $0) } == [3, 4])
    #expect((0..<3).allSatisfy { shape.visibleKeys(sequence: 1, query: $0).isEmpty })
    #expect(shape.usefulKeyValueBytes(elementBytes: 1) == Double(5 * (3 + 5)))
  }

  @Test(
    arguments: [
      #""mask": "none""#,
      #""mask": "causal""#,
      #""mask": "causal", "left_window_size": 0"#,
      #""mask": "causal", "left_window_size": 2"#,
      #""mask": "lengths", "key_lengths": [0, 5]"#,
    ], [(3, 7), (7, 3), (5, 5), (1, 5)])
  func visibleKeysFollowTheContract(mask: String, sizes: (queries: Int, keys: Int)) throws {
    if mask.contains("lengths") && sizes.keys < 5 { return }
    let shape = try Self.shape(#""queries": \#(sizes.queries), "keys": \#(sizes.keys), \#(mask)"#)
    for sequence in 0..<2 {
      for query in 0..<sizes.queries {
        // Key by key, as the contract words it.
        let expected = (0..<sizes.keys).filter { key in
          let position = query + sizes.keys - sizes.queries
          if mask.contains("causal") && key > position { return false }
          if mask.contains("left_window_size\": 0") && key < position { return false }
          if mask.contains("left_window_size\": 2") && key < position - 2 { return false }
          return !mask.contains("lengths") || key < [0, 5][sequence]
        }
        #expect(
          Array(shape.visibleKeys(sequence: sequence, query: query)) == expected,
          "\(mask), \(sizes), sequence \(sequence), query \(query)")
      }
    }
  }

  @Test func bytesThatNoQuerySeesAreNotCounted() throws {
    let ragged = try Self.shape(#""queries": 2, "keys": 9, "mask": "lengths", "key_lengths": [4, 9]"#)
    #expect(ragged.usefulKeyValueBytes(elementBytes: 2) == Double((4 + 9) * (3 + 5) * 2))
    #expect(ragged.keyValueBytes(elementBytes: 2) == Double((9 + 9) * (3 + 5) * 2))
    let window = try Self.shape(#""queries": 1, "keys": 9, "mask": "causal", "left_window_size": 3"#)
    #expect(window.usefulKeyValueBytes(elementBytes: 4) == Double(2 * 4 * (3 + 5) * 4))
  }

  private static func shape(_ fields: String) throws -> BenchmarkShape {
    let record = """
      [{"name": "s", "batch": 2, "query_heads": 2, "key_value_heads": 1, "head_dim": 3, "value_dim": 5, \(fields)}]
      """
    return try #require(try ShapeFile.parse(Data(record.utf8)).first)
  }
}
