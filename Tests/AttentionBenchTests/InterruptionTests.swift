import Foundation
import Testing

/// A run that somebody ends before it is over.
@Suite struct InterruptionTests {
  /// Long enough to be ended before it is over.
  private static let arguments = [
    "--only", "minilm-encode,bert-encode,gpt2-prefill,rotary-2048", "--kernel", "chosen,naive", "--seconds",
    "60",
  ]

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func resultsSoFarAreCompleteJSON(signal: Int32, code: Int32) throws {
    let bench = try BenchProcess(Self.arguments + ["--format", "json"])
    try bench.send(signal, whenTold: " 1/4 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == code, "\(outcome)")
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome)")
    let rows = try #require(document["benchmarks"] as? [[String: Any]])
    #expect(!rows.isEmpty && rows.allSatisfy { $0["shape"] as? String == "minilm-encode" }, "\(outcome)")
    #expect(document["context"] is [String: Any])
  }

  @Test func resultsSoFarAreInTables() throws {
    let bench = try BenchProcess(Self.arguments)
    try bench.send(SIGINT, whenTold: " 1/4 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == 130, "\(outcome)")
    #expect(outcome.output.contains("minilm-encode") && outcome.output.contains("max error:"), "\(outcome)")
    #expect(!outcome.output.contains("bert-encode"), "\(outcome)")
  }

  @Test func filesAreWrittenToo() throws {
    let file = try TemporaryFile("old")
    let bench = try BenchProcess(Self.arguments + ["--format", "jsonl", "--output", file.url.path])
    try bench.send(SIGINT, whenTold: " 1/4 ")
    let outcome = try bench.outcome()
    #expect(outcome.code == 130 && outcome.output.isEmpty, "\(outcome)")
    #expect(try file.text().contains("\"minilm-encode\""))
  }
}
