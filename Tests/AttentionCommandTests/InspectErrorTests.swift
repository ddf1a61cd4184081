import Foundation
import Tensors
import TestSupport
import Testing

/// Command lines that make no sense, choices that a case does not have, and files that mean harm.
@Suite struct InspectErrorTests {
  @Test(arguments: [
    ["--head", "-1"], ["--head", "x"], ["--head", "1,"], ["--head", ""], ["--head", "0-1"],
    ["--head", "99999999999999999999"], ["--query", "3..<3"], ["--query", "3...2"], ["--query", "..<2"],
    ["--query", "+1"], ["--key", "0:2"], ["--key", "0"], ["--sequence", "-1"], ["--sequence", "one"],
    ["--top", "-1"],
    ["--format", "xml"], ["--measure", "mass"], ["--threads", "0"], ["--threads", "1000000"],
    ["--output", "a", "--svg", "a"], ["--svg"], ["--heads", "1"], ["other.safetensors"],
    ["--softcap", "-1"], ["--scale", "nan"], ["--q-num-heads", "0"], ["--is-casual"], ["--op", "MatMul"],
  ]) func commandLinesThatMakeNoSenseExitWith64(flags: [String]) throws {
    let result = try runAttention(["inspect", "case.safetensors"] + flags)
    #expect(result.status == 64, "\(flags): \(result)")
    #expect(result.standardError.hasPrefix("Error: "), "\(flags): \(result)")
    #expect(result.standardOutput.isEmpty, "\(flags): \(result)")
  }

  @Test(arguments: [["inspect", "--help"], ["help", "inspect"]])
  func helpHasExamplesAndGoesToStandardOutput(arguments: [String]) throws {
    let result = try runAttention(arguments)
    #expect(result.status == 0 && result.standardError.isEmpty, "\(result)")
    #expect(result.standardOutput.contains("attention inspect case.safetensors --head 3 --svg head.svg"))
  }

  /// Runs on the case of two heads, three queries and four keys, and checks what every failure has in common.
  private func expectFailure(
    _ flags: [String], names expected: String, _ change: (inout CaseContents) -> Void = { _ in }
  ) throws {
    let directory = try TemporaryDirectory()
    var contents = try InspectTests.uniform()
    change(&contents)
    let input = try contents.write(to: directory.file("case.safetensors"))
    let flags = flags.map { $0.replacing("DIR", with: directory.path) }
    let result = try runAttention(["inspect", input] + flags)
    #expect(result.status == 1, "\(flags): \(result)")
    #expect(result.errorLines.count == 1, "\(flags): \(result)")
    #expect(result.standardError.contains(expected), "\(flags): \(result)")
    #expect(result.standardOutput.isEmpty, "\(flags): \(result)")
    #expect(try directory.contents() == ["case.safetensors"], "\(flags)")
  }

  @Test(arguments: [
    (["--head", "2"], "--head"), (["--head", "0,1...5"], "0 to 1"), (["--query", "3"], "--query"),
    (["--query", "0..<9223372036854775807"], "0 to 2"), (["--key", "4", "--svg", "DIR/map.svg"], "--key"),
    (["--sequence", "1"], "--sequence"),
    (["--svg", "DIR/missing/map.svg"], "missing/map.svg"),
    (["--output", "DIR/case.safetensors"], "--output"),
    (["--svg", "DIR/case.safetensors"], "--svg"), (["--output", "/dev/null"], "not a regular file"),
    (["--op", "RotaryEmbedding"], "op: "), (["--interleaved"], "Error: --interleaved: "),
    (["--num-heads", "3"], "Error: --num-heads: "),
    (["--q-num-heads", "3"], "q_num_heads: "),
  ]) func choicesThatTheCaseDoesNotHave(flags: [String], expected: String) throws {
    try expectFailure(flags, names: expected)
  }

  @Test func casesThatDoNotFit() throws {
    try expectFailure([], names: "V") { $0.tensors["V"] = nil }
    try expectFailure([], names: "V") { $0.tensors["V"] = Tensor<Float>.zeros([1, 2, 5, 2]) }
    try expectFailure([], names: "K") { $0.tensors["K"] = Tensor<Float>.zeros([1, 2, 4, 3]) }
    try expectFailure([], names: "is_causal") { $0.metadata["is_causal"] = "yes" }
    try expectFailure(["--svg", "DIR/map.svg"], names: "Q") {
      // No elements, and more queries than there is memory for.
      $0.tensors["Q"] = Tensor<Float>.zeros([1, 0, 2_000_000_000, 2])
      $0.tensors["K"] = Tensor<Float>.zeros([1, 0, 4, 2])
      $0.tensors["V"] = Tensor<Float>.zeros([1, 0, 4, 2])
    }
    try expectFailure(["--svg", "DIR/map.svg"], names: "at most 64") {
      $0.tensors["Q"] = Tensor<Float>.zeros([1, 66, 3, 2])
    }
  }

  /// A file without a token, and an axis as long as an axis may be: nothing in it takes room but what is asked for.
  private static let most = Int(Int32.max)

  @Test func headsWithoutEndAreRefused() throws {
    for keyCount in [0, 1] {
      let change = { (contents: inout CaseContents) in
        contents.tensors = [
          "Q": Tensor<Float>.zeros([1, Self.most, 0, 4]), "K": Tensor<Float>.zeros([1, 1, keyCount, 4]),
          "V": Tensor<Float>.zeros([1, 1, keyCount, 4]),
        ]
      }
      try expectFailure(["--threads", "1"], names: "--head", change)
      try expectFailure(["--threads", "1", "--format", "json"], names: "at most 4096", change)
      try expectFailure(
        ["--threads", "1", "--head", "0...\(Self.most - 1)"], names: "at most 4096", change)
    }
  }

  @Test(
    arguments: [
      ([1, most, 0, 4], [1, most, 0, 4], ["--head", "0,7...8,\(most - 1)"], [0, 7, 8, most - 1]),
      ([1, most, 0, 4], [1, 1, 1, 4], ["--head", "\(most - 1)"], [most - 1]),
      ([most, 1, 0, 4], [most, 1, 0, 4], [], [0]),
      ([most, 1, 0, 4], [most, 1, 0, 4], ["--sequence", "\(most - 1)"], [0]),
    ] as [(Shape, Shape, [String], [Int])])
  func aFewOfManyHeadsAndSequencesAreFine(
    queries: Shape, keys: Shape, flags: [String], heads: [Int]
  ) throws {
    let directory = try TemporaryDirectory()
    let contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros(queries), "K": Tensor<Float>.zeros(keys), "V": Tensor<Float>.zeros(keys),
      ])
    let input = try contents.write(to: directory.file("case.safetensors"))
    let result = try runAttention(["inspect", input, "--format", "json", "--threads", "1"] + flags)
    try #require(result.status == 0, "\(flags): \(result)")
    let report = try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any]
    let found = try #require(report?["heads"] as? [[String: Any]])
    #expect(found.map { $0["head"] as? Int } == heads, "\(flags)")
    #expect(found.allSatisfy { $0["mass"] as? [Double] == [Double](repeating: 0, count: keys[2]) })
  }

  @Test func jsonHasItsLimit() throws {
    // 2 · (1 + 2000) · 1100 numbers are more than 4 194 304.
    let change = { (contents: inout CaseContents) in
      contents.tensors = [
        "Q": Tensor<Float>.zeros([1, 1, 2000, 1]), "K": Tensor<Float>.zeros([1, 1, 1100, 1]),
        "V": Tensor<Float>.zeros([1, 1, 1100, 1]),
      ]
    }
    try expectFailure(["--format", "json", "--query", "all"], names: "--format json", change)
  }

  @Test(arguments: ["[\"a\", \"b\"]", "[1, 2, 3]", "not JSON", "{}", "[\"a\"", "[null,null,null]"])
  func tokensThatDoNotFitAreLeftOut(tokens: String) throws {
    let directory = try TemporaryDirectory()
    let input = try InspectTests.uniform(["tokens": tokens]).write(to: directory.file("case.safetensors"))
    let result = try runAttention(["inspect", input])
    #expect(result.status == 0, "\(result)")
    #expect(
      result.errorLines.count == 1 && result.standardError.contains("warning: metadata tokens"), "\(result)")
  }

  /// Tokens that would move the cursor, turn the line's direction, end an element or an attribute, or pile up.
  private static let hostile = [
    "\u{1B}[2J\r\n\u{7}", "\u{202E}abc\u{2066}\u{200B}", "<script>&\"'>]]>",
    "e\u{301}\u{301}\u{301}\u{301}\u{FFFE}\u{0}",
  ]

  @Test func hostileTextIsShownAndDoesNothing() throws {
    let directory = try TemporaryDirectory()
    let tokens = String(decoding: try JSONEncoder().encode(Self.hostile), as: UTF8.self)
    let input = try InspectTests.uniform(["tokens": tokens, "case": "<b>\u{1B}]0;title\u{7}\u{202E}"])
      .write(to: directory.file("case.safetensors"))
    let svg = directory.file("map.svg")
    let text = try runAttention(["inspect", input, "--query", "0", "--svg", svg, "--head", "1"])
    let json = try runAttention(["inspect", input, "--query", "0", "--format", "json"])
    let drawing = try String(contentsOfFile: svg, encoding: .utf8)
    #expect(text.status == 0 && json.status == 0, "\(text)")
    for output in [text.standardOutput, json.standardOutput, drawing] {
      let harmful = output.unicodeScalars.filter {
        switch $0.properties.generalCategory {
        case .control, .format, .unassigned, .lineSeparator: $0 != "\n"
        default: false
        }
      }
      // A code point without a meaning is data in JSON; anywhere else it is shown by its number.
      let isData = output == json.standardOutput
      #expect(harmful.allSatisfy { isData && $0 == "\u{FFFE}" }, "\(harmful.map { $0.value })")
    }
    #expect(text.standardOutput.contains(#"\u{1B}[2J\u{D}\u{A}\u{7}"#), "\(text)")
    #expect(text.standardOutput.contains(#"\u{202E}abc\u{2066}"#), "\(text)")
    #expect(drawing.contains("&lt;script&gt;&amp;&quot;'&gt;") && !drawing.contains("<script>"))
    // JSON gives back what the file has.
    let report = try JSONSerialization.jsonObject(with: Data(json.standardOutput.utf8)) as? [String: Any]
    #expect(report?["keyTokens"] as? [String] == Self.hostile)
  }
}
