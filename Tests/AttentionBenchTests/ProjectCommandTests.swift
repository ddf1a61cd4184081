import Foundation
import TestSupport
import Testing

/// `attention-bench project` as its users run it.
@Suite struct ProjectCommandTests {
  @Test func aProjectionIsATableAndAChart() throws {
    let file = try TemporaryFile()
    let outcome = try BenchProcess([
      "project", "--nodes", "6", "--context", "4k", "--rounds", "1", "--threads", "1", "--plot",
      file.url.path,
    ]).outcome()
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(outcome.output.contains("12.50 GB/s and 2.0 µs a link"), "\(outcome)")
    let rows = outcome.output.split(separator: "\n").dropFirst(4).map {
      $0.split(separator: " ").prefix(2).joined(separator: " ")
    }
    // Two key/value heads divide among two nodes at most; a last row for what is no power of two.
    #expect(
      rows == [
        "1 prefill", "1 prefillByHeads", "1 decode", "2 prefill", "2 prefillByHeads", "2 decode", "4 prefill",
        "4 decode", "6 prefill", "6 decode",
      ], "\(outcome)")
    let chart = try String(contentsOf: file.url, encoding: .utf8)
    #expect(chart.hasPrefix("<svg ") && chart.hasSuffix("</svg>\n"))
    #expect(chart.contains("Prefill of 4096 causal tokens") && chart.contains("No cluster was measured."))
    for word in ["nan", "inf"] { #expect(!chart.contains("\(word) ") && !chart.contains("\(word)\"")) }
  }

  @Test(arguments: ["bf16", "f32"]) func aCheckComparesWithRealCalls(dtype: String) throws {
    let outcome = try BenchProcess([
      "project", "--check", "--ranks", "2", "--prompt", "512", "--keys", "2k", "--rounds", "1", "--dtype",
      dtype,
    ]).outcome()
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 5 && lines[0].hasPrefix("2 ranks of "), "\(outcome)")
    for (line, way) in zip(lines.dropFirst(2), ["prefill", "prefillByHeads", "decode"]) {
      let cells = line.split(separator: " ")
      #expect(
        cells.count == 4 && cells[0] == way && cells.dropFirst().allSatisfy { Double($0) ?? 0 > 0 }, "\(line)"
      )
    }
  }

  @Test(arguments: [
    (["--link", "100"], "expected a rate like 100Gbps"), (["--latency", "2"], "expected a time like 2us"),
    (["--context", "1.5"], "expected a count like 131072"), (["--context", "1024M"], "--context"),
    (["--nodes", "0"], "--nodes: 0 given, expected 1 to 4096"), (["--key-heads", "3"], "--key-heads"),
    (["--dtype", "f8"], "There are f32"), (["--plot", ""], "--plot"),
    (["--plot", "/nonesuch/x.svg"], "--plot"),
    (["--check", "--plot", "x.svg"], "--plot"), (["--threads", "0"], "--threads"),
    (["--rounds", "0"], "--rounds"),
  ])
  func wrongUsageIsExitCode64(arguments: [String], words: String) throws {
    let outcome = try BenchProcess(["project"] + arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty && outcome.errors.contains(words), "\(outcome)")
  }
}
