import BenchmarkKit
import Foundation
import Testing

/// Shape lists that must be refused, each with words that its message must contain.
private struct HostileShapes: CustomTestStringConvertible {
  let text: String
  let testDescription: String

  init(_ text: String, _ reason: String) {
    self.text = text
    testDescription = reason
  }

  /// A list with one shape that is fine but for the fields given here.
  init(fields: [String: String], _ reason: String) {
    var all = [
      "name": #""a""#, "batch": "1", "query_heads": "4", "key_value_heads": "2", "queries": "3", "keys": "5",
      "head_dim": "8", "value_dim": "8", "mask": #""none""#,
    ]
    all.merge(fields) { $1 }
    let members = all.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
    self.init("[{\(members.joined(separator: ", "))}]", reason)
  }

  /// A packed shape of one sequence, with these fields on top.
  private static func packed(_ fields: [String: String]) -> [String: String] {
    ["mask": #""lengths""#, "layout": #""packed""#, "keys": "3", "key_lengths": "[3]"].merging(fields) { $1 }
  }

  static let all: [HostileShapes] = [
    HostileShapes("", "not valid JSON"),
    HostileShapes("[{", "not valid JSON"),
    HostileShapes("{}", "expected an array"),
    HostileShapes("[]", "no shapes"),
    HostileShapes("[{}]", "entry 1: name is missing"),
    HostileShapes(String(repeating: "[", count: 100_000), "not valid JSON"),
    HostileShapes(fields: ["left_window": "3"], "entry 1: field \"left_window\" is unknown"),
    HostileShapes(fields: ["softcup": "3"], "did you mean softcap?"),
    HostileShapes(fields: ["batch": "-1"], "batch is -1"),
    HostileShapes(fields: ["batch": "0"], "batch is 0"),
    HostileShapes(fields: ["queries": "1.5"], "a number is not whole, or too large"),
    HostileShapes(fields: ["queries": "\"3\""], "expected a whole number"),
    HostileShapes(fields: ["keys": "null"], "\"keys\": expected a whole number"),
    HostileShapes(fields: ["keys": "9223372036854775807"], "keys is 9223372036854775807"),
    HostileShapes(fields: ["keys": "1e300"], "a number is not whole, or too large"),
    HostileShapes(fields: ["batch": "2147483647", "keys": "2147483647"], "this machine has"),
    HostileShapes(fields: ["queries": "1000000", "keys": "1000000"], "expected at most"),
    HostileShapes(fields: ["query_heads": "3"], "expected a multiple of key_value_heads, 2"),
    HostileShapes(
      fields: ["mask": #""diagonal""#], "mask \"diagonal\" is unknown. There are none, causal, lengths"),
    HostileShapes(fields: ["mask": #""lengths""#], "belong together"),
    HostileShapes(fields: ["key_lengths": "[5]"], "belong together"),
    HostileShapes(
      fields: ["mask": #""lengths""#, "key_lengths": "[5, 5]"], "has 2 entries, expected batch, 1"),
    HostileShapes(fields: ["mask": #""lengths""#, "key_lengths": "[6]"], "has 6, expected 0 to 5"),
    HostileShapes(fields: ["mask": #""lengths""#, "key_lengths": "[0]"], "nothing to measure"),
    HostileShapes(fields: ["left_window_size": "1"], "with mask \"causal\""),
    HostileShapes(fields: ["mask": #""causal""#, "left_window_size": "-1"], "left_window_size is -1"),
    HostileShapes(fields: ["softcap": "0"], "softcap is 0.0, expected a positive number"),
    HostileShapes(fields: ["softcap": "-30"], "softcap is -30.0"),
    HostileShapes(fields: ["softcap": "1e-320"], "softcap is"),
    HostileShapes(fields: ["softcap": "1e39"], "softcap is"),
    HostileShapes(fields: ["softcap": "true"], "\"softcap\": expected a number"),
    HostileShapes(fields: ["alibi": "1.5"], "\"alibi\": expected true or false"),
    HostileShapes(fields: ["alibi": #""yes""#], "\"alibi\": expected true or false"),
    HostileShapes(fields: ["sinks": "[1, 2, 3, 4]"], "\"sinks\": expected true or false"),
    HostileShapes(
      fields: ["layout": #""ragged""#],
      "layout \"ragged\" is unknown; did you mean padded? There are padded, packed"),
    HostileShapes(fields: ["layout": #""packed""#], "layout \"packed\" needs key_lengths"),
    HostileShapes(fields: packed(["keys": "5"]), "has as many queries as keys"),
    HostileShapes(fields: packed(["query_lengths": "[3]"]), "takes no query_lengths"),
    HostileShapes(fields: packed(["key_lengths": "[4]"]), "key_lengths has 4, expected 0 to 3"),
    HostileShapes(fields: packed(["key_lengths": "[0]"]), "nothing to measure"),
    HostileShapes(fields: ["query_lengths": "[4]"], "query_lengths has 4, expected 0 to 3"),
    HostileShapes(fields: ["query_lengths": "[3, 3]"], "query_lengths has 2 entries, expected batch, 1"),
    HostileShapes(fields: ["query_lengths": "[-1]"], "query_lengths has -1"),
    HostileShapes(
      fields: ["mask": #""causal""#, "key_lengths": "[6]"], "key_lengths has 6, expected 0 to 5"),
    HostileShapes(
      fields: ["compare_with": #""b""#], "compare_with is \"b\", expected the name of another shape"),
    HostileShapes(
      fields: ["compare_with": #""a""#], "compare_with is \"a\", expected the name of another shape"),
    HostileShapes(fields: ["compare_with": #""a\nb""#], "compare_with is \"a\\nb\""),
    HostileShapes(fields: ["useful_flops": "7"], "useful_flops is 7"),
    HostileShapes(fields: ["name": #""""#], "expected 1 to 256 letters"),
    HostileShapes(fields: ["name": #""a,b""#], "expected 1 to 256 letters"),
    HostileShapes(fields: ["name": #""a\nb""#], "expected 1 to 256 letters"),
    HostileShapes(fields: ["name": #""@`[{""#], "expected 1 to 256 letters"),
    HostileShapes(
      """
      [{"name": "a", "batch": 1, "query_heads": 1, "key_value_heads": 1, "queries": 1, "keys": 1, "head_dim": 1,
        "value_dim": 1, "mask": "none"},
       {"name": "a", "batch": 1, "query_heads": 1, "key_value_heads": 1, "queries": 2, "keys": 2, "head_dim": 1,
        "value_dim": 1, "mask": "none"}]
      """, "the name appears twice"),
  ]
}

@Suite struct HostileShapesTests {
  @Test(arguments: HostileShapes.all) fileprivate func isRefusedInOneLine(_ list: HostileShapes) throws {
    let error = #expect(throws: BenchmarkError.self) { try ShapeFile.parse(Data(list.text.utf8)) }
    let line = try #require(error).description
    #expect(line.contains(list.testDescription), "\(line)")
    #expect(!line.contains("\n"), "\(line)")
  }

  @Test(arguments: ["/dev/zero", "/", "/nonexistent/shapes.json"]) func filesThatAreNoListsAreRefused(
    path: String
  ) {
    #expect(throws: BenchmarkError.self) { try ShapeFile.load(path: path) }
  }
}
