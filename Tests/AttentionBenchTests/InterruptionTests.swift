import Foundation
import TestSupport
import Testing

/// A run that somebody ends before it is over.
@Suite struct InterruptionTests {
  /// The first shape takes seconds, whatever the machine.
  private static let arguments = [
    "--only", "long-prefill,gpt2-decode,rotary-2048", "--kernel", "chosen,gemm", "--seconds", "60",
  ]

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func resultsSoFarAreCompleteJSON(signal: Int32, code: Int32) throws {
    let bench = try BenchProcess(Self.arguments + ["--format", "json"])
    try bench.send(signal, whenTold: " 1/3 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == code, "\(outcome)")
    let rows = try outcome.entries()
    #expect(!rows.isEmpty && rows.allSatisfy { $0["shape"] as? String == "long-prefill" }, "\(outcome)")
    let precision = try outcome.context()["precision"] as? [String] ?? []
    #expect(precision.contains { $0.contains("interrupted") }, "\(outcome)")
  }

  @Test func resultsSoFarAreInTables() throws {
    let bench = try BenchProcess(Self.arguments)
    try bench.send(SIGINT, whenTold: " 1/3 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == 130, "\(outcome)")
    #expect(outcome.output.contains("long-prefill") && outcome.output.contains("max error:"), "\(outcome)")
    #expect(!outcome.output.contains("gpt2-decode"), "\(outcome)")
  }

  @Test func filesAreWrittenToo() throws {
    let file = try TemporaryFile("old")
    let bench = try BenchProcess(Self.arguments + ["--format", "json", "--output", file.url.path])
    try bench.send(SIGINT, whenTold: " 1/3 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == 130 && outcome.output.isEmpty, "\(outcome)")
    #expect(try file.text().contains("\"long-prefill\""))
  }
}
