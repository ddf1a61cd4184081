import Foundation
import TestSupport
import Testing

/// `attention-bench --peers` with children that do right, or wrong in every way.
@Suite(.enabled(if: FakePeer.canRun, "the fake engines are Python scripts, and python3 is not on PATH"))
struct PeerCommandTests {
  private static let shape =
    #""batch": 1, "query_heads": 2, "key_value_heads": 2, "queries": 5, "keys": 9, "head_dim": 8, "value_dim": 4"#

  private static func list(_ names: [String]) -> String {
    let shapes = names.map { #"{"name": "\#($0)", \#(shape), "mask": "causal"}"# }
    return "[\(shapes.joined(separator: ", "))]"
  }

  /// Runs shapes beside engines that do as told, and interrupts that where words tell of something.
  private static func bench(
    _ ways: [String: String], format: String, _ arguments: [String] = [],
    shapes: String = list(["one", "two"]), interruptedAt words: String? = nil
  ) throws -> BenchProcess.Outcome {
    let fake = try TemporaryFile(FakePeer.program(ways))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fake.url.path)
    // A file that is open for writing cannot be executed.
    try fake.handle.close()
    let list = try TemporaryFile(shapes)
    let peers = ways.keys.sorted().joined(separator: ",")
    let bench = try BenchProcess(
      [
        "--quick", "--seconds", "0.01", "--shapes", list.url.path, "--format", format, "--peers", peers,
        "--peers-python",
        fake.url.path,
      ] + arguments)
    if let words { try bench.send(SIGINT, whenTold: words) }
    return try bench.outcome()
  }

  @Test func aRightEngineHasRowsAndItsPlaceBesideOurs() throws {
    let rows = try Self.bench(["numpy": "right"], format: "json").rows()
    #expect(rows.map { $0["engine"] as? String } == ["chosen", "numpy", "chosen", "numpy"])
    for row in rows { #expect(row["status"] as? String == "ok", "\(row)") }
    #expect(rows[1]["plan"] as? String == "plain")
    #expect(rows[1]["real_time"] as? Double == 12)
    #expect((rows[1]["max_error"] as? Double ?? 1) < 1e-6)

    let table = try Self.bench(["numpy": "right"], format: "table")
    #expect(table.code == 0, "\(table)")
    #expect(table.output.contains("numpy 1.2.3") && table.output.contains("x best peer"), "\(table)")
    let last = try #require(table.output.split(separator: "\n").last { $0.hasPrefix("two") })
    let cells = last.split(separator: " ").map(String.init)
    #expect(cells.count == 6 && cells[4] == "12.0", "\(last)")
  }

  @Test func kernelsNamedAreMeasuredAsWell() throws {
    let rows = try Self.bench(["numpy": "right"], format: "json", ["--kernel", "gemm,naive"]).rows()
    #expect(
      rows.map { $0["engine"] as? String } == ["gemm", "naive", "numpy", "gemm", "naive", "numpy"])
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
      [("refuse", "has no kernel for this"), ("torn", "its output"), ("crash", "signal 11")],
      [
        ("die", "it ended with exit code 1; it said \"killed for memory\""),
        ("absent", "No module named nonesuch"), ("garbage", "Segmentation fault"),
      ],
      [
        ("negative", "it says that 2 calls took -1"), ("endless", "it says that 2 calls took 1000000000.0"),
        ("eternal", "it says that a call takes 1000000000.0"),
      ],
      [
        ("loud", #"it says that its call is "\u{1B}[2J""#), ("flat", "expected [1, 2, 5, 4]"),
        ("long", "it says that its version is \"1.2.3\\n"),
      ],
    ])
  func misbehaviourCostsItsOwnRows(three: [(way: String, words: String)]) throws {
    let bad = Dictionary(uniqueKeysWithValues: zip(["onnxruntime", "openvino", "pytorch"], three))
    let outcome = try Self.bench(
      bad.mapValues(\.way).merging(["numpy": "right"]) { $1 }, format: "json")
    #expect(outcome.code == 0, "\(outcome)")
    let rows = try outcome.rows()
    #expect(rows.count == 10)
    for row in rows {
      let words = bad[row["engine"] as? String ?? ""]?.words
      #expect(row["status"] as? String == (words == nil ? "ok" : "skipped"), "\(row)")
      if let words {
        #expect(row["real_time"] as? Int == 0, "\(row)")
        #expect("\(row["reason"] ?? "")".contains(words), "\(row)")
      }
    }
  }

  /// Each of its processes ends in a turn, and the third shape starts no other.
  @Test func whatKeepsEndingIsNotStartedForEveryShape() throws {
    let outcome = try Self.bench(
      ["openvino": "crash"], format: "json", shapes: Self.list(["one", "two", "three", "four"]))
    let reasons = try outcome.rows().filter { $0["engine"] as? String == "openvino" }
      .map { $0["reason"] as? String ?? "" }
    #expect(reasons.count == 4 && reasons.prefix(2).allSatisfy { $0.contains("signal 11") }, "\(reasons)")
    #expect(reasons.suffix(2).allSatisfy { $0 == "it ended 2 times in a row" }, "\(reasons)")
  }

  @Test func whatFailsInTheEndHasNoSpeedup() throws {
    let rows = try Self.bench(["numpy": "torn", "pytorch": "right"], format: "json", ["--kernel", "naive"])
      .rows()
    #expect(rows.map { !($0["speedup"] is Double) } == [false, true, false, false, true, false])
  }

  /// No engine is asked there: their answers differ.
  @Test func queriesThatSeeNoKeyAreNotCompared() throws {
    let list = """
      [{"name": "one", "batch": 1, "query_heads": 1, "key_value_heads": 1, "queries": 9, "keys": 5, "head_dim": 8,
        "value_dim": 4, "mask": "causal"}]
      """
    let outcome = try Self.bench(["numpy": "nan"], format: "json", shapes: list)
    #expect(outcome.code == 0, "\(outcome)")
    let rows = try outcome.rows()
    #expect(rows.map { $0["status"] as? String } == ["ok", "skipped"])
    #expect(rows.last?["reason"] as? String == "queries that see no key are not compared")
  }

  /// Nobody waits until it is ready.
  @Test(.timeLimit(.minutes(1)), arguments: [("slow", "the machine"), ("sleepy", " 1/2 ")])
  func interruptionsEndWhatIsNotReady(way: String, words: String) throws {
    let outcome = try Self.bench(["numpy": way], format: "json", interruptedAt: words)
    #expect(outcome.code == 130, "\(outcome)")
    let rows = try outcome.rows()
    #expect(rows.allSatisfy { $0["reason"] as? String == "interrupted before it was timed" }, "\(outcome)")
    #expect(rows.count == (way == "slow" ? 0 : 2), "\(outcome)")
  }

  /// 512 × 512 pairs take 13 bytes each in NumPy where a mask tells them apart, and the tensors 2.5 MB.
  @Test(arguments: [("causal", true), ("none", false)]) func masksCountAsMemory(mask: String, isSkipped: Bool)
    throws
  {
    let list = """
      [{"name": "one", "batch": 1, "query_heads": 1, "key_value_heads": 1, "queries": 512, "keys": 512, "head_dim": 64,
        "value_dim": 64, "mask": "\(mask)"}]
      """
    let outcome = try Self.bench(["numpy": "refuse"], format: "json", ["--memory", "0.004"], shapes: list)
    let reasons = try outcome.rows().map { "\($0["reason"] ?? "")" }
    #expect(reasons.map { $0.contains("allowed by --memory") } == [isSkipped, isSkipped], "\(reasons)")
  }

  /// Each engine is looked for in its own environment.
  @Test(arguments: [
    ("numpy", "peers"), ("vllm", "peers-vllm"), ("zentorch", "peers-zentorch"), ("flex", "peers"),
  ])
  func aPythonOfMakePeersThatCannotBeRunIsNamed(engine: String, environment: String) throws {
    let python = ".build/\(environment)/bin/python"
    let folder = try TemporaryDirectory(["Benchmarks/Peers/peers.py": "", python: ""])
    let outcome = try BenchProcess(["--peers", engine], in: folder.url).outcome()
    #expect(outcome.code == 1, "\(outcome)")
    #expect(
      outcome.errors.contains("/\(python) cannot be run; `make peers PEERS=\(engine)` makes it anew"),
      "\(outcome)")
    #expect(!outcome.errors.contains("--peers-python"), "\(outcome)")
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
      (["--peers", "pytroch"], "did you mean pytorch?"), (["--peers", "vlm"], "did you mean vllm?"),
      (["--peers", "numpy,"], "\"\" is unknown. There are pytorch"),
      (
        ["--peers", "tensorflow"],
        "is unknown. There are pytorch, onnxruntime, openvino, numpy, vllm, zentorch, flex"
      ),
      (["--peers-python", "/usr/bin/python3"], "--peers-python is given without --peers"),
    ])
  func wrongNamesAreWrongUsage(arguments: [String], words: String) throws {
    let outcome = try BenchProcess(arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains(words), "\(outcome)")
  }
}
