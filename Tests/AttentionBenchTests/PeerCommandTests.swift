import Foundation
import Testing

/// `attention-bench --peers` with children that do right, or wrong in every way.
@Suite(.enabled(if: FakePeer.canRun, "the fake engines are Python scripts, and python3 is not on PATH"))
struct PeerCommandTests {
  private static let shape =
    #""batch": 1, "query_heads": 2, "key_value_heads": 2, "queries": 5, "keys": 9, "head_dim": 8, "value_dim": 4"#

  /// Runs two shapes beside engines that do as told.
  private static func bench(
    _ ways: [String: String], format: String, _ arguments: [String] = []
  ) throws -> BenchProcess.Outcome {
    let fake = try TemporaryFile(FakePeer.program(ways))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fake.url.path)
    // A file that is open for writing cannot be executed.
    try fake.handle.close()
    let list = try TemporaryFile(
      """
      [{"name": "one", \(shape), "mask": "causal"}, {"name": "two", \(shape), "mask": "causal"}]
      """)
    let peers = ways.keys.sorted().joined(separator: ",")
    return try BenchProcess(
      [
        "--quick", "--shapes", list.url.path, "--format", format, "--peers", peers, "--peers-python",
        fake.url.path,
      ] + arguments
    ).outcome()
  }

  @Test func aRightEngineHasRowsAndItsPlaceBesideOurs() throws {
    let rows = try CommandTests.objects(try Self.bench(["numpy": "right"], format: "jsonl").output)
    #expect(rows.map { $0["kernel"] as? String } == ["chosen", "numpy", "chosen", "numpy"])
    for row in rows { #expect(row["status"] as? String == "ok", "\(row)") }
    #expect(rows[1]["plan"] as? String == "plain")
    #expect(rows[1]["median_ms"] as? Double == 12)
    #expect((rows[1]["max_error"] as? Double ?? 1) < 1e-6)

    let table = try Self.bench(["numpy": "right"], format: "table")
    #expect(table.code == 0, "\(table)")
    #expect(table.output.contains("numpy 1.2.3") && table.output.contains("x best peer"), "\(table)")
    let last = try #require(table.output.split(separator: "\n").last { $0.hasPrefix("two") })
    let cells = last.split(separator: " ").map(String.init)
    #expect(cells.count == 6 && cells[4] == "12.0", "\(last)")
  }

  @Test func kernelsNamedAreMeasuredAsWell() throws {
    let rows = try CommandTests.objects(
      try Self.bench(["numpy": "right"], format: "jsonl", ["--kernel", "gemm,naive"]).output)
    #expect(
      rows.map { $0["kernel"] as? String } == ["gemm", "naive", "numpy", "gemm", "naive", "numpy"])
    #expect((rows[2]["speedup"] as? Double ?? 0) > 0)
  }

  @Test(
    arguments: [
      ("wrong", "over the tolerance"), ("nan", "not finite"),
    ])
  func wrongOutputFails(way: String, words: String) throws {
    let outcome = try Self.bench(["pytorch": way, "numpy": "right"], format: "markdown")
    #expect(outcome.code == 1, "\(outcome)")
    #expect(outcome.output.contains("FAILED: ") && outcome.output.contains(words), "\(outcome)")
    #expect(outcome.output.contains("| one | f32 |") && outcome.output.contains("| 12.0 | — |"), "\(outcome)")
    #expect(outcome.output.contains("* pytorch f32, all: FAILED"), "\(outcome)")
  }

  /// What an engine cannot do, or does to itself, is told in its own column and fails nothing.
  @Test(
    arguments: [
      ("refuse", "has no kernel for this"), ("absent", "No module named nonesuch"),
      ("die", "it ended with exit code 1; it said \\\"killed for memory\\\""), ("crash", "signal 11"),
      ("garbage", "Segmentation fault"), ("negative", "it says that 2 calls took -1"),
      ("flat", "expected [1, 2, 5, 4]"), ("torn", "its output"),
    ])
  func misbehaviourCostsItsOwnRows(way: String, words: String) throws {
    let outcome = try Self.bench(["onnxruntime": way, "numpy": "right"], format: "jsonl")
    #expect(outcome.code == 0, "\(outcome)")
    let rows = try CommandTests.objects(outcome.output)
    #expect(rows.count == 6)
    for row in rows {
      let isIt = row["kernel"] as? String == "onnxruntime"
      #expect(row["status"] as? String == (isIt ? "skipped" : "ok"), "\(row)")
      if isIt {
        #expect(row["median_ms"] is NSNull, "\(row)")
        #expect("\(row["reason"] ?? "")".contains(words.replacingOccurrences(of: "\\", with: "")), "\(row)")
      }
    }
  }

  @Test func reasonsStandBelowTheTable() throws {
    let outcome = try Self.bench(["openvino": "refuse", "numpy": "right"], format: "table")
    #expect(outcome.output.contains("openvino f32, all: has no kernel for this\n"), "\(outcome)")
  }

  @Test func whatCannotBeFoundIsOneLine() throws {
    let outcome = try BenchProcess(["--peers", "numpy", "--peers-python", "/nonesuch/python"]).outcome()
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("Error: --peers-python: /nonesuch/python cannot be run\n"), "\(outcome)")
  }

  @Test(
    arguments: [
      (["--peers", "pytroch"], "did you mean pytorch?"),
      (["--peers", "numpy,"], "\"\" is unknown. There are pytorch"),
      (["--peers", "tensorflow"], "is unknown. There are pytorch, onnxruntime, openvino, numpy"),
      (["--peers-python", "/usr/bin/python3"], "--peers-python is given without --peers"),
    ])
  func wrongNamesAreWrongUsage(arguments: [String], words: String) throws {
    let outcome = try BenchProcess(arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains(words), "\(outcome)")
  }
}
