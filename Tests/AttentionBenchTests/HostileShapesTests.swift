import BenchmarkKit
import Foundation
import Testing

/// Shape lists that must be refused, each with words that its message must contain.
struct HostileShapes: CustomTestStringConvertible, Sendable {
  let text: String
  let reason: String

  var testDescription: String { reason }

  init(_ text: String, _ reason: String) {
    self.text = text
    self.reason = reason
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

  static let all: [HostileShapes] = [
    HostileShapes("", "not valid JSON"),
    HostileShapes("[{", "not valid JSON"),
    HostileShapes("{}", "expected an array"),
    HostileShapes("[]", "no shapes"),
    HostileShapes("[{}]", "entry 1: name is missing"),
    HostileShapes(String(repeating: "[", count: 100_000), "not valid JSON"),
    HostileShapes(fields: ["left_window": "3"], "unknown field \"left_window\""),
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
    HostileShapes(fields: ["mask": #""diagonal""#], "expected one of none, causal, lengths"),
    HostileShapes(fields: ["mask": #""lengths""#], "belong together"),
    HostileShapes(fields: ["key_lengths": "[5]"], "belong together"),
    HostileShapes(
      fields: ["mask": #""lengths""#, "key_lengths": "[5, 5]"], "has 2 entries, expected batch, 1"),
    HostileShapes(fields: ["mask": #""lengths""#, "key_lengths": "[6]"], "has 6, expected 0 to 5"),
    HostileShapes(fields: ["mask": #""lengths""#, "key_lengths": "[0]"], "nothing to measure"),
    HostileShapes(fields: ["left_window_size": "1"], "with mask \"causal\""),
    HostileShapes(fields: ["mask": #""causal""#, "left_window_size": "-1"], "left_window_size is -1"),
    HostileShapes(fields: ["useful_flops": "7"], "useful_flops is 7"),
    HostileShapes(fields: ["name": #""""#], "expected 1 to 64 letters"),
    HostileShapes(fields: ["name": #""a,b""#], "expected 1 to 64 letters"),
    HostileShapes(fields: ["name": #""a\nb""#], "expected 1 to 64 letters"),
    HostileShapes(fields: ["name": #""@`[{""#], "expected 1 to 64 letters"),
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
  @Test(arguments: HostileShapes.all) func isRefusedInOneLineThatSaysWhy(_ list: HostileShapes) throws {
    let error = #expect(throws: BenchmarkError.self) { try ShapeFile.parse(Data(list.text.utf8)) }
    let line = try #require(error).description
    #expect(line.contains(list.reason), "\(line)")
    #expect(!line.contains("\n"), "\(line)")
  }

  @Test(arguments: ["/dev/zero", "/", "/nonexistent/shapes.json"]) func filesThatAreNoListsAreRefused(
    path: String
  ) {
    #expect(throws: BenchmarkError.self) { try ShapeFile.load(path: path) }
  }
}
