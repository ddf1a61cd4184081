import Foundation
import TestSupport
import Testing

/// `attention-bench --against` with itself, and with builds that do right or wrong.
@Suite(.enabled(if: FakePeer.canRun, "the fake builds are Python scripts, and python3 is not on PATH"))
struct AgainstCommandTests {
  private static let list = """
    [{"name": "one", "batch": 1, "query_heads": 2, "key_value_heads": 2, "queries": 5, "keys": 9, "head_dim": 8, "value_dim": 4, "mask": "causal"}]
    """

  /// Measures against a build that does as told.
  private static func against(_ way: String, _ arguments: [String]) throws -> BenchProcess.Outcome {
    let folder = try TemporaryDirectory([
      "shapes.json": list, "older": FakePeer.program(["older": way]),
    ])
    let older = folder.path + "/older"
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: older)
    return try BenchProcess(
      ["--against", older, "--shapes", folder.path + "/shapes.json", "--threads", "1", "--quick"] + arguments
    ).outcome()
  }

  /// Every rule that travels from process to process: masks, lengths, packing, and what changes scores.
  @Test func theSameBuildComputesEveryRule() throws {
    let sizes =
      #""batch": 2, "query_heads": 4, "key_value_heads": 2, "queries": 9, "keys": 9, "head_dim": 8, "value_dim": 4"#
    let rules = [
      #""mask": "none""#, #""mask": "causal", "left_window_size": 3"#,
      #""mask": "lengths", "key_lengths": [4, 9], "query_lengths": [3, 9]"#,
      #""mask": "lengths", "key_lengths": [4, 9], "layout": "packed""#, #""mask": "none", "alibi": true"#,
      #""mask": "none", "sinks": true, "softcap": 2.0"#,
    ]
    let shapes = rules.enumerated().map { #"{"name": "rule-\#($0)", \#(sizes), \#($1)}"# }
    let folder = try TemporaryDirectory(["shapes.json": "[\(shapes.joined(separator: ", "))]"])
    let outcome = try BenchProcess([
      "--against", try BenchProcess.executable.path, "--shapes", folder.path + "/shapes.json", "--dtype",
      "f32,bf16", "--threads", "1", "--fail-below", "0.001", "--quick",
    ]).outcome()
    #expect(outcome.code == 0, "\(outcome)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 1 + 2 * rules.count, "\(outcome)")
    #expect(lines.dropFirst().allSatisfy { $0.contains("–") && $0.hasSuffix(" 6  ") }, "\(outcome)")
  }

  @Test func slowerThanTheBoundEndsWith1() throws {
    let outcome = try Self.against("fast", ["--fail-below", "0.95"])
    #expect(outcome.code == 1 && outcome.output.contains(" SLOWER"), "\(outcome)")
    let faster = try Self.against("right", ["--fail-below", "0.95", "--format", "markdown"])
    #expect(faster.code == 0 && faster.output.contains("| one | f32 | 12.0 | "), "\(faster)")
    #expect(!faster.output.contains("SLOWER"), "\(faster)")
  }

  @Test func withoutABoundNothingIsSlower() throws {
    let outcome = try Self.against("fast", [])
    #expect(outcome.code == 0 && !outcome.output.contains("SLOWER"), "\(outcome)")
  }

  @Test(
    arguments: [
      ("wrong", 1, "FAILED: older: "), ("nan", 1, "not finite"),
      ("refuse", 0, "skipped: older: has no kernel"),
      ("die", 0, "skipped: older: it ended with exit code 1"), ("absent", 0, "No module named nonesuch"),
    ] as [(String, Int32, String)])
  func whatTheOlderBuildDoesWrongIsTold(way: String, code: Int32, words: String) throws {
    let outcome = try Self.against(way, [])
    #expect(outcome.code == code && outcome.output.contains(words), "\(outcome)")
  }

  @Test(
    arguments: [
      (["--fail-below", "0.9"], 64, "--fail-below is given without --against"),
      (["--against", "/bin/true", "--fail-below", "0"], 64, "expected a positive number"),
      (["--against", "/bin/true", "--peers", "numpy"], 64, "--against takes neither"),
      (["--against", "/bin/true", "--kernel", "naive"], 64, "--against takes neither"),
      (["--against", "/bin/true", "--format", "json"], 64, "--against has a table or markdown"),
      (["--against", "/bin/true", "--only", "rotary-2048"], 64, "is unknown"),
      (["--against", "/nonesuch"], 1, "--against: /nonesuch cannot be run"),
    ] as [([String], Int32, String)])
  func wrongUsageIsOneLine(arguments: [String], code: Int32, words: String) throws {
    let outcome = try BenchProcess(arguments).outcome()
    #expect(outcome.code == code && outcome.output.isEmpty && outcome.errors.contains(words), "\(outcome)")
  }
}
