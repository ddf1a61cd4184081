import BenchmarkKit
import Foundation
import Testing

@Suite struct SweepTests {
  private static func values(_ word: String) throws -> [String] {
    try #require(try Sweep([word], allThreads: 6).fields.first).values.map(\.description)
  }

  @Test(
    arguments: [
      ("queries=7", ["7"]), ("queries=64,128", ["64", "128"]), ("queries=1..4", ["1", "2", "3", "4"]),
      ("queries=128..1024*2", ["128", "256", "512", "1024"]), ("queries=3..20*2", ["3", "6", "12"]),
      ("keys=16..64+16", ["16", "32", "48", "64"]), ("keys=5..5", ["5"]), ("keys=5..6*9", ["5"]),
      ("batch=1,8,2..8*2,1", ["1", "8", "2", "4"]), ("threads=1..N", ["1", "2", "3", "4", "5", "6"]),
      ("threads=1..N*2", ["1", "2", "4"]), ("threads=N", ["6"]), ("mask=none,causal", ["none", "causal"]),
      ("window=none,0,1023", ["none", "0", "1023"]), ("head-dim=2147483647", ["2147483647"]),
    ] as [(String, [String])])
  func valuesAreListsAndRanges(word: String, expected: [String]) throws {
    #expect(try Self.values(word) == expected)
  }

  @Test(
    arguments: [
      ([], "no field"), (["queries"], "is no field=values"),
      (["queries="], "is no field"),
      (["=3"], "field \"\" is unknown"), (["querys=3"], "did you mean queries?"),
      (["head_dim=3"], "did you mean head-dim?"),
      (["Queries=3"], "did you mean queries?"), (["queries=1", "queries=2"], "queries is given twice"),
      (["queries=0"], "\"0\" is no whole number of 1 to"),
      (["queries=-1"], "\"-1\" is no whole number"), (["queries=1.5"], "is no whole number"),
      (["queries=,"], "\"\" is no whole number"), (["queries=1,"], "is no whole number"),
      (["queries=٣"], "is no whole number"), (["queries=+3"], "is no whole number"),
      (["queries=99999999999999999999"], "is no whole number"),
      (["queries=4..1"], "4 is more than 1"), (["queries=1..8*1"], "goes nowhere"),
      (["queries=1..8*0"], "is no whole number"),
      (["queries=1..8*"], "is no whole number"),
      (["queries=1..8*2*2"], "is no whole"),
      (["queries=1..2..3"], "is no whole number"),
      (["queries=1..2147483647"], "more than 1000 values"),
      (["queries=1..999999", "keys=1..999999"], "more than 1000 values"),
      (["queries=1..600,601..1200"], "more than 1000 values"), (["window=0..8*2"], "goes nowhere"),
      (["queries=1..100", "keys=1..100"], "more than 1000 combinations"),
      (
        [
          "queries=1..900", "keys=1..900", "batch=1..900", "head-dim=1..900", "value-dim=1..900",
          "query-heads=1..900", "threads=1..900",
        ],
        "more than 1000 combinations"
      ),
      (["mask=casual"], "did you mean causal?"), (["mask="], "is no field=values"),
      (["mask=none,"], "There are none, causal, lengths"),
      (["window=all"], "or none"), (["threads=0"], "or N for all"), (["a\nb=3"], "\"a\\nb\""),
    ] as [([String], String)])
  func whatIsNoSweepIsRefusedInOneLine(words: [String], reason: String) throws {
    let error = #expect(throws: BenchmarkError.self) { try Sweep(words, allThreads: 4) }
    let line = try #require(error).description
    #expect(line.contains(reason) && !line.contains("\n"), "\(line)")
  }

  private static func base(_ fields: String) throws -> BenchmarkShape {
    let text = #"[{"name": "base", "batch": 2, "head_dim": 8, "value_dim": 8, \#(fields)}]"#
    return try #require(try ShapeFile.parse(Data(text.utf8)).first)
  }

  @Test func valuesAreCombinedAllWithAll() throws {
    let base = try Self.base(
      #""query_heads": 4, "key_value_heads": 4, "queries": 16, "keys": 16, "mask": "causal", "left_window_size": 3, "softcap": 2.5"#
    )
    let sweep = try Sweep(["queries=32,64", "threads=1,2", "head-dim=4"], allThreads: 2)
    let swept = try sweep.shapes(of: base)
    #expect(
      swept.map(\.shape.name) == [
        "base+queries=32+threads=1+head-dim=4", "base+queries=32+threads=2+head-dim=4",
        "base+queries=64+threads=1+head-dim=4", "base+queries=64+threads=2+head-dim=4",
      ])
    #expect(swept.map(\.threads) == [1, 2, 1, 2])
    #expect(swept.map(\.shape.sizes.queries) == [32, 32, 64, 64])
    #expect(swept.map(\.shape.sizes.keys) == [32, 32, 64, 64])
    for shape in swept.map(\.shape) {
      #expect(shape.sizes.headDim == 4 && shape.sizes.valueDim == 4 && shape.sizes.batch == 2)
      #expect(shape.mask.kind == .causal && shape.mask.leftWindowSize == 3)
      #expect(shape.scores.softcap == 2.5 && shape.sizes.queryHeads == 4)
    }
  }

  @Test func whatDiffersInTheBaseDoesNotFollow() throws {
    let base = try Self.base(
      #""query_heads": 4, "key_value_heads": 2, "queries": 1, "keys": 16, "mask": "none""#)
    let queries = try Sweep(["queries=2", "query-heads=8"], allThreads: 1).shapes(of: base)[0]
    #expect(queries.shape.sizes.queries == 2 && queries.shape.sizes.keys == 16 && queries.threads == nil)
    #expect(queries.shape.sizes.queryHeads == 8 && queries.shape.sizes.keyValueHeads == 2)
    let others = try Sweep(["head-dim=4", "value-dim=6", "keys=9"], allThreads: 1).shapes(of: base)[0]
    let both = others.shape.sizes
    #expect(both.headDim == 4 && both.valueDim == 6 && both.keys == 9 && both.queries == 1)
  }

  @Test func windowsNeedACausalMask() throws {
    let base = try Self.base(
      #""query_heads": 1, "key_value_heads": 1, "queries": 8, "keys": 8, "mask": "causal", "left_window_size": 3"#
    )
    let masks = try Sweep(["mask=causal,none"], allThreads: 1).shapes(of: base).map(\.shape)
    #expect(masks.map(\.mask.leftWindowSize) == [3, nil] && masks.map(\.mask.kind) == [.causal, .none])
    let windows = try Sweep(["window=none,5"], allThreads: 1).shapes(of: base).map(\.shape)
    #expect(windows.map(\.mask.leftWindowSize) == [nil, 5])
    #expect(throws: BenchmarkError.self) {
      try Sweep(["mask=none", "window=5"], allThreads: 1).shapes(of: base)
    }
  }

  @Test(arguments: [
    ("query-heads=3", "expected a multiple of key_value_heads, 2"), ("mask=lengths", "belong together"),
    ("keys=2147483647", "GiB"), ("queries=3000000 keys=3000000", "expected at most"),
  ])
  func whatIsNoShapeIsRefusedByItsName(words: String, reason: String) throws {
    let base = try Self.base(
      #""query_heads": 4, "key_value_heads": 2, "queries": 1, "keys": 16, "mask": "none""#)
    let sweep = try Sweep(words.split(separator: " ").map(String.init), allThreads: 1)
    let error = #expect(throws: BenchmarkError.self) { try sweep.shapes(of: base, memoryLimit: 0x1p34) }
    let line = try #require(error).description
    #expect(line.contains("base+") && line.contains(reason), "\(line)")
  }
}
