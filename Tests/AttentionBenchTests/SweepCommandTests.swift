import Foundation
import TestSupport
import Testing

/// Sweeps, memory and misspelt names on the command line.
@Suite struct SweepCommandTests {
  private static func rows(_ outcome: BenchProcess.Outcome) throws -> [[String: Any]] {
    #expect(outcome.code == 0, "\(outcome)")
    return try outcome.rows()
  }

  private static let quick = ["--quick", "--seconds", "0.01", "--kernel", "chosen", "--format", "json"]

  @Test func everyCombinationIsMeasured() throws {
    let rows = try Self.rows(
      BenchProcess(["--base", "tiny", "--sweep", "queries=16,48", "threads=1,2", "head-dim=8"] + Self.quick)
        .outcome())
    // Threads change least often.
    #expect(
      rows.map { $0["shape"] as? String } == [
        "tiny+queries=16+threads=1+head-dim=8", "tiny+queries=48+threads=1+head-dim=8",
        "tiny+queries=16+threads=2+head-dim=8", "tiny+queries=48+threads=2+head-dim=8",
      ])
    #expect(rows.map { $0["threads"] as? Int } == [1, 1, 2, 2])
    #expect(rows.map { $0["queries"] as? Int } == [16, 48, 16, 48])
    #expect(rows.map { $0["keys"] as? Int } == [16, 48, 16, 48])
    #expect(rows.allSatisfy { $0["status"] as? String == "ok" && $0["head_dim"] as? Int == 8 })
  }

  @Test(arguments: [
    (["--sweep", "querys=3"], "did you mean queries?"), (["--sweep"], "--sweep"),
    (["--sweep", "queries=3", "--base", "tyni"], "did you mean tiny?"),
    (["--sweep", "queries=3", "--only", "tiny"], "--only"), (["--base", "tiny"], "--base"),
    (["--sweep", "threads=1,2", "--threads", "2"], "--threads"),
    (["--sweep", "threads=2000"], "expected 1 to 1024"),
    (["--sweep", "batch=2147483647"], "GiB"), (["--sweep", "queries=1..2147483647"], "more than 1000"),
    (["--format", "jso"], "did you mean json?"), (["--kernel", "chosen,fuzed"], "did you mean fused?"),
    (["--dtype", "f61"], "did you mean f64?"), (["--only", "bert-encod"], "did you mean bert-encode?"),
    (["--memory", "0"], "--memory"), (["--memory", "nan"], "--memory"), (["--quik"], "--quick"),
    (["--output", "/nonexistent/folder/file"], "folder"), (["--output", "/dev/null"], "path of a file"),
    (["--output", ""], "path of a file"), (["--output", "/"], "path of a file"),
    (["--only", "gpt2-decode,nonesuch"], "\"nonesuch\" is unknown. There are minilm-encode, bert-encode"),
    (["--only", ""], "--only"), (["--dtype", ""], "--dtype"), (["--threads", "0"], "--threads is 0"),
    (["--threads", "99999"], "--threads"), (["--threads", "two"], "--threads"), (["--seed", "-1"], "--seed"),
    (["--seconds", "0"], "--seconds"), (["--seconds", "nan"], "--seconds"), (["stray"], "stray"),
  ])
  func wrongUsageNamesWhatIsNear(arguments: [String], words: String) throws {
    let outcome = try BenchProcess(arguments).outcome()
    #expect(outcome.code == 64, "\(outcome)")
    #expect(outcome.output.isEmpty && outcome.errors.contains(words), "\(outcome)")
  }

  @Test func whatDoesNotFitIsSkippedWithItsBytes() throws {
    // Queries, keys, values and an output of 32 rows of 64 numbers: 32,768 bytes.
    let arguments = ["--only", "tiny"] + Self.quick + ["--memory"]
    let skipped = try Self.rows(BenchProcess(arguments + ["0.000032"]).outcome())
    #expect(skipped.map { $0["status"] as? String } == ["skipped"])
    let reason = try #require(skipped[0]["reason"] as? String)
    #expect(reason.contains("take 3.3e-05 GB, 3.2e-05 are allowed by --memory"), "\(reason)")
    let measured = try Self.rows(BenchProcess(arguments + ["0.000034"]).outcome())
    #expect(measured.map { $0["status"] as? String } == ["ok"])
  }

  @Test(arguments: [
    // 1024 · 1024 scores of 4 bytes, and tensors of less than a megabyte.
    (["--base", "tiny", "--sweep", "queries=1024", "--memory", "0.002"], "the scores of one head take"),
    (["--only", "rotary-2048", "--memory", "0.05"], "its tensors take"),
  ])
  func whatElseDoesNotFitIsSkipped(arguments: [String], words: String) throws {
    let rows = try Self.rows(
      BenchProcess(arguments + ["--quick", "--kernel", "naive", "--format", "json"]).outcome())
    let reason = rows.first?["reason"] as? String ?? ""
    #expect(rows.count == 1 && reason.contains(words) && reason.contains("allowed by --memory"), "\(rows)")
  }

  @Test func theContextIsThatOfTheMostThreads() throws {
    let sweep = [
      "--base", "tiny", "--sweep", "threads=1,2", "--quick", "--seconds", "0.01", "--kernel", "chosen",
    ]
    let json = try BenchProcess(sweep + ["--format", "json"]).outcome()
    let context = try json.context()
    #expect(context["threads"] as? Int == 2 && context["hand_off_us"] is [String: Any], "\(context)")
    let table = try BenchProcess(sweep).outcome()
    #expect(table.output.contains("1, 2 in turn"), "\(table)")
  }

  /// A naive call that takes longer than its time is timed once, its CPU time too.
  @Test func whatIsTimedOnceHasItsProcessorTime() throws {
    let outcome = try BenchProcess([
      "--base", "tiny", "--sweep", "queries=1024", "--kernel", "naive", "--seconds", "0.01", "--format",
      "json",
    ]).outcome()
    let rounds = try outcome.entries().filter { $0["run_type"] as? String == "iteration" }
    #expect(rounds.count == 1 && (rounds[0]["cpu_time"] as? Double ?? 0) > 0, "\(outcome)")
  }

  @Test func resultsOfAFileAreThereInTheEnd() throws {
    let file = try TemporaryFile("old")
    let outcome = try BenchProcess(
      ["--only", "tiny", "--quick", "--seconds", "0.01", "--format", "json", "--output", file.url.path]
    ).outcome()
    #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome)")
    let written = BenchProcess.Outcome(code: 0, output: try file.text(), errors: "")
    #expect(
      try written.rows().map { $0["engine"] as? String } == ["chosen", "gemm", "fused", "decode", "naive"])
  }
}
