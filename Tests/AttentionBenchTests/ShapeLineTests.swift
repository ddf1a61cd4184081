import BenchmarkKit
import Foundation
import Testing

/// Errors in a list of shapes name the line on which the shape begins.
@Suite struct ShapeLineTests {
  private static func shape(_ name: String, _ fields: String = "") -> String {
    """
    {"name": "\(name)",
      "batch": 1, "query_heads": 1, "key_value_heads": 1, "queries": 4, "keys": 4,
      "head_dim": 8, "value_dim": 8, "mask": "none"\(fields)}
    """
  }

  @Test(
    arguments: [
      ("[\n\n\(shape("a")),\n\(shape("b", #", "softcap": 0"#))]", "line 6, entry 2: "),
      ("[\(shape("a")),\n\n\n  \(shape("a"))]", "line 6, entry 2: shape a: the name appears twice"),
      (
        "\n[\n\(shape("a", #", "why": "]}\\\"],[{\n""#)),\n{}]",
        "line 6, entry 2: name is missing"
      ),
      (
        "[\(shape("a")), \(shape("b", #", "softcup": 3"#))]",
        "line 3, entry 2: unknown field \"softcup\"; did you mean softcap?"
      ),
      (
        "[\n\(shape("a", #", "compare_with": "c""#)),\n\(shape("b"))]",
        "line 2, entry 1: shape a: compare_with"
      ),
      (
        "[\n\(shape("a")),\r\n\(shape("b", #", "layout": "paded""#))]",
        "line 5, entry 2: shape b: layout is \"paded\", expected one of padded, packed; did you mean padded?"
      ),
      ("[\n1]", "line 2, entry 1: expected an object"),
      ("[[\n],\n\"a\"]", "line 1, entry 1: expected an object"),
      ("3", "expected an array"), ("\"[]\"", "expected an array"), ("[ \n]", "no shapes"),
      ("[{}", "not valid JSON"),
    ] as [(String, String)])
  func theLineIsTold(text: String, reason: String) throws {
    let error = #expect(throws: BenchmarkError.self) { try ShapeFile.parse(Data(text.utf8)) }
    let line = try #require(error).description
    #expect(line.contains(reason) && !line.contains("\n"), "\(line) for \(text)")
  }

  @Test func otherEncodingsAreRefused() throws {
    let list = "[\(Self.shape("a"))]"
    #expect(try ShapeFile.parse(Data(list.utf8)).count == 1)
    for data in [
      try #require(list.data(using: .utf16)), try #require(list.data(using: .utf32LittleEndian)),
      Data([0x5B, 0xFF, 0x5D]),
    ] { #expect(throws: BenchmarkError("not valid JSON")) { try ShapeFile.parse(data) } }
  }

  @Test func outputsOfAllKernelsCount() throws {
    let shape = try #require(try ShapeFile.parse(Data("[\(Self.shape("a"))]".utf8)).first)
    #expect(shape.tensorBytes(elementBytes: 4) == Double(4 * 4 * 8 * 4))
    #expect(shape.tensorBytes(elementBytes: 4, outputs: 4) == Double(4 * 7 * 8 * 4))
    #expect(shape.tensorBytes(elementBytes: 2, outputs: 0) == Double(4 * 3 * 8 * 2))
  }
}
