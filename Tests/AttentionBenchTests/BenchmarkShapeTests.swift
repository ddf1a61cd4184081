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
    #expect(shapes.count == 14)
    #expect(shapes.count == stated.count)
    for (shape, record) in zip(shapes, stated) {
      let name = Comment(rawValue: shape.name)
      #expect(shape.name == record["name"] as? String)
      #expect(shape.usefulFlops == (record["useful_flops"] as? NSNumber)?.doubleValue, name)
      #expect(
        shape.keyValueBytes(elementBytes: 4) == (record["kv_bytes_f32"] as? NSNumber)?.doubleValue, name)
    }
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
