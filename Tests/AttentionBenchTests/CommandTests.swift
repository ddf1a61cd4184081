import Foundation
import Testing

/// `attention-bench` as its users run it.
@Suite struct CommandTests {
  struct Outcome {
    let code: Int32
    let output: String
    let errors: String
  }

  private static func bench(_ arguments: String...) throws -> Outcome {
    // The command lies beside the test bundle, whose executable this process is.
    let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
      .deletingLastPathComponent().appendingPathComponent("attention-bench")
    process.arguments = arguments
    // Into files: nobody has to empty a pipe while the command runs.
    let files = try (0..<2).map { _ in try TemporaryFile() }
    process.standardOutput = files[0].handle
    process.standardError = files[1].handle
    try process.run()
    process.waitUntilExit()
    return Outcome(code: process.terminationStatus, output: try files[0].text(), errors: try files[1].text())
  }

  final class TemporaryFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "attention-bench-\(UUID().uuidString)")
    let handle: FileHandle

    init(_ text: String = "") throws {
      try Data(text.utf8).write(to: url)
      handle = try FileHandle(forWritingTo: url)
    }

    func text() throws -> String { try String(contentsOf: url, encoding: .utf8) }

    deinit { try? FileManager.default.removeItem(at: url) }
  }

  @Test(arguments: ["f32", "f64", "f16", "bf16"]) func resultsAreRight(dtype: String) throws {
    let outcome = try Self.bench(
      "--quick", "--only", "gpt2-decode,minilm-layer3", "--dtype", dtype, "--format", "jsonl", "--threads",
      "2")
    #expect(outcome.code == 0, "\(outcome)")
    let objects = try outcome.output.split(separator: "\n").map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(
      objects.map { "\($0["name"] ?? "") \($0["kernel"] ?? "")" } == [
        "gpt2-decode naive", "gpt2-decode gemm", "minilm-layer3 naive", "minilm-layer3 gemm",
      ])
    for object in objects {
      #expect(object["status"] as? String == "ok", "\(object)")
      #expect(object["dtype"] as? String == dtype)
      for field in ["median_ms", "p20_ms", "p80_ms", "useful_gflops", "peak_gflops", "read_gbytes_per_s"] {
        #expect((object[field] as? Double ?? 0) > 0, "\(field) in \(object)")
      }
    }
    #expect(outcome.errors.contains("processor"))
  }

  @Test func masksOfAllKindsAreMeasuredRight() throws {
    let sizes =
      #""batch": 2, "query_heads": 4, "key_value_heads": 2, "queries": 33, "keys": 70, "head_dim": 24"#
    let list = try TemporaryFile(
      """
      [{"name": "none", \(sizes), "value_dim": 24, "mask": "none"},
       {"name": "causal", \(sizes), "value_dim": 8, "mask": "causal"},
       {"name": "window", \(sizes), "value_dim": 8, "mask": "causal", "left_window_size": 9},
       {"name": "lengths", \(sizes), "value_dim": 24, "mask": "lengths", "key_lengths": [0, 61]}]
      """)
    let outcome = try Self.bench("--quick", "--shapes", list.url.path, "--format", "csv")
    #expect(outcome.code == 0, "\(outcome)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 1 + 4 * 2)
    for line in lines.dropFirst() { #expect(line.contains(",ok,"), "\(line)") }
  }

  @Test func oneKernelAloneIsATableWithItsMachine() throws {
    let outcome = try Self.bench("--quick", "--only", "minilm-layer3", "--kernel", "gemm")
    #expect(outcome.code == 0, "\(outcome)")
    for words in ["processor", "FMA peak", "OpenBLAS", "hand-off", "minilm-layer3", "of limit"] {
      #expect(outcome.output.contains(words), "\(words) in \(outcome.output)")
    }
    #expect(!outcome.output.contains("minilm-layer3  f32    naive"))
  }

  @Test func plansAreExplained() throws {
    let outcome = try Self.bench("--explain", "--only", "gpt2-prefill,chunk-16", "--dtype", "f32,f16")
    #expect(outcome.code == 0, "\(outcome)")
    for words in ["gpt2-prefill f32", "gpt2-prefill f16", "chunk-16 f32", "gemm"] {
      #expect(outcome.output.contains(words), "\(words) in \(outcome.output)")
    }
  }

  @Test(arguments: [
    ["--only", "gpt2-decode,nonesuch"], ["--only", ""], ["--dtype", "f32,int8"], ["--dtype", ""],
    ["--kernel", "fast"],
    ["--format", "xml"], ["--threads", "0"], ["--threads", "99999"], ["--threads", "two"], ["--seed", "-1"],
    ["--nonesuch"], ["stray"],
  ]) func wrongUsageIsExitCode64(arguments: [String]) throws {
    let outcome = try arguments.count == 2 ? Self.bench(arguments[0], arguments[1]) : Self.bench(arguments[0])
    #expect(outcome.code == 64, "\(outcome)")
    #expect(outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("Usage:"), "\(outcome)")
  }

  @Test func anUnknownNameIsAnsweredWithTheKnownOnes() throws {
    let outcome = try Self.bench("--only", "nonesuch")
    #expect(outcome.errors.contains("\"nonesuch\""), "\(outcome)")
    #expect(outcome.errors.contains("minilm-encode, bert-encode"), "\(outcome)")
    #expect(outcome.errors.contains("minilm-layer3"), "\(outcome)")
  }

  @Test(arguments: HostileShapes.all) func hostileListsEndInOneLine(_ list: HostileShapes) throws {
    let file = try TemporaryFile(list.text)
    let outcome = try Self.bench("--shapes", file.url.path)
    #expect(outcome.code == 1, "\(outcome)")
    #expect(outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
    #expect(outcome.errors.contains(list.reason), "\(outcome)")
    #expect(outcome.errors.contains(file.url.path), "\(outcome)")
  }
}
