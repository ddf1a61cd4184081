import Foundation
import TestSupport
import Testing

/// Sweeps, memory and misspelt names on the command line.
@Suite struct SweepCommandTests {
  private static func rows(_ outcome: BenchProcess.Outcome) throws -> [[String: Any]] {
    #expect(outcome.code == 0, "\(outcome)")
    return try outcome.output.split(separator: "\n").map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  private static let quick = ["--quick", "--seconds", "0.01", "--kernel", "chosen", "--format", "jsonl"]

  @Test func everyCombinationIsMeasured() throws {
    let rows = try Self.rows(
      BenchProcess(["--base", "tiny", "--sweep", "queries=16,48", "threads=1,2", "head-dim=8"] + Self.quick)
        .outcome())
    // Threads change least often.
    #expect(
      rows.map { $0["name"] as? String } == [
        "tiny+queries=16+threads=1+head-dim=8", "tiny+queries=48+threads=1+head-dim=8",
        "tiny+queries=16+threads=2+head-dim=8", "tiny+queries=48+threads=2+head-dim=8",
      ])
    #expect(rows.map { $0["threads"] as? Int } == [1, 1, 2, 2])
    #expect(rows.map { $0["queries"] as? Int } == [16, 48, 16, 48])
    #expect(rows.map { $0["keys"] as? Int } == [16, 48, 16, 48])
    #expect(rows.allSatisfy { $0["status"] as? String == "ok" && $0["head_dim"] as? Int == 8 })
  }

  @Test func sweepsAreReadFromFiles() throws {
    let file = try TemporaryFile("# two\nbase=tiny queries=16,48\nbase=tiny queries=48 # again\nkeys=8\n")
    let rows = try Self.rows(
      BenchProcess(["--base", "tiny-heads", "--sweep-file", file.url.path] + Self.quick).outcome())
    #expect(
      rows.map { $0["name"] as? String } == ["tiny+queries=16", "tiny+queries=48", "tiny-heads+keys=8"])
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
  ])
  func wrongUsageNamesWhatIsNear(arguments: [String], words: String) throws {
    let outcome = try BenchProcess(arguments).outcome()
    #expect(outcome.code == 64, "\(outcome)")
    #expect(outcome.output.isEmpty && outcome.errors.contains(words), "\(outcome)")
  }

  @Test func wrongFilesNameTheirLine() throws {
    let file = try TemporaryFile("queries=3\nqueries=3 mask=casual\n")
    let outcome = try BenchProcess(["--sweep-file", file.url.path]).outcome()
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
    #expect(
      outcome.errors.contains("\(file.url.path): line 2: ") && outcome.errors.contains("causal?"),
      "\(outcome)")
  }

  @Test(arguments: [
    ("base=tyni queries=3", "did you mean tiny?"),
    ("base=gpt2-prefill query-heads=7 key-value-heads=2", "multiple"),
  ])
  func whatIsNoShapeNamesItsLineToo(sweep: String, words: String) throws {
    let file = try TemporaryFile("# sizes\nqueries=3\n\n\(sweep)\n")
    let outcome = try BenchProcess(["--sweep-file", file.url.path]).outcome()
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.hasPrefix("Error: \(file.url.path): line 4: "), "\(outcome)")
    #expect(
      outcome.errors.contains(words) && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
    // What is wrong on the command line is that.
    let base = try BenchProcess(["--sweep-file", file.url.path, "--base", "tyni"]).outcome()
    #expect(base.code == 64 && base.errors.contains("--base: shape \"tyni\" is unknown"), "\(base)")
  }

  @Test func whatDoesNotFitIsSkippedWithItsBytes() throws {
    // Queries, keys, values and an output of 32 rows of 64 numbers: 32,768 bytes.
    let arguments = ["--only", "tiny"] + Self.quick + ["--memory"]
    let skipped = try Self.rows(BenchProcess(arguments + ["0.000032"]).outcome())
    #expect(skipped.map { $0["status"] as? String } == ["skipped"])
    let reason = try #require(skipped[0]["reason"] as? String)
    #expect(reason.contains("take 3.3e-05 GB, 3.2e-05 are allowed by --memory"), "\(reason)")
    // Nothing was measured, of the machine neither.
    #expect(skipped[0]["peak_gflops"] is NSNull && skipped[0]["read_gbytes_per_s"] is NSNull)
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
      BenchProcess(arguments + ["--quick", "--kernel", "naive", "--format", "jsonl"]).outcome())
    let reason = rows.first?["reason"] as? String ?? ""
    #expect(rows.count == 1 && reason.contains(words) && reason.contains("allowed by --memory"), "\(rows)")
  }

  @Test func theContextIsThatOfTheMostThreads() throws {
    let sweep = [
      "--base", "tiny", "--sweep", "threads=1,2", "--quick", "--seconds", "0.01", "--kernel", "chosen",
    ]
    let json = try BenchProcess(sweep + ["--format", "json"]).outcome()
    let document = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    let context = try #require(document?["context"] as? [String: Any], "\(json)")
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
    let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let rounds = (document?["benchmarks"] as? [[String: Any]] ?? [])
      .filter { $0["run_type"] as? String == "iteration" }
    #expect(rounds.count == 1 && (rounds[0]["cpu_time"] as? Double ?? 0) > 0, "\(outcome)")
  }

  @Test func resultsOfAFileAreThereInTheEnd() throws {
    let file = try TemporaryFile("old")
    let outcome = try BenchProcess(
      ["--only", "tiny", "--quick", "--seconds", "0.01", "--format", "json", "--output", file.url.path]
    ).outcome()
    #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome)")
    let document = try JSONSerialization.jsonObject(with: Data(try file.text().utf8)) as? [String: Any]
    let entries = try #require(document?["benchmarks"] as? [[String: Any]])
    #expect(
      Set(entries.compactMap { $0["engine"] as? String }) == ["chosen", "gemm", "fused", "decode", "naive"])
    for engine in ["chosen", "naive"] {
      let own = entries.filter {
        $0["engine"] as? String == engine && $0["run_type"] as? String == "iteration"
      }
      let repetitions = try #require(own.first?["repetitions"] as? Int)
      #expect(own.count == repetitions && repetitions >= 3, "\(engine)")
    }
  }
}
