import Foundation
import TestSupport
import Testing

/// `attention-bench` as its users run it.
@Suite struct CommandTests {
  /// What checks results takes no time for good medians.
  private static func quickly(_ arguments: String...) throws -> BenchProcess.Outcome {
    try BenchProcess(["--quick", "--seconds", "0.01"] + arguments).outcome()
  }

  private static func bench(_ arguments: String...) throws -> BenchProcess.Outcome {
    try BenchProcess(arguments).outcome()
  }

  @Test(arguments: ["f32", "f64", "f16", "bf16"]) func resultsAreRight(dtype: String) throws {
    let outcome = try Self.quickly(
      "--only", "gpt2-decode,minilm-layer3", "--dtype", dtype, "--format", "json", "--threads",
      "2")
    #expect(outcome.code == 0, "\(outcome)")
    let objects = try outcome.rows()
    #expect(
      objects.map { "\($0["shape"] ?? "") \($0["engine"] ?? "")" } == [
        "gpt2-decode chosen", "gpt2-decode gemm", "gpt2-decode fused", "gpt2-decode decode",
        "gpt2-decode naive",
        "minilm-layer3 chosen", "minilm-layer3 gemm", "minilm-layer3 fused", "minilm-layer3 decode",
        "minilm-layer3 naive",
      ])
    for object in objects {
      #expect(Self.isRight(object), "\(object)")
      #expect(object["dtype"] as? String == dtype)
      let plan = object["plan"] as? String
      #expect((plan != nil) == (object["engine"] as? String == "chosen"), "\(object)")
      if let plan { #expect(["gemm", "fused", "decode"].contains(plan), "\(object)") }
      if object["status"] as? String == "skipped" { continue }
      if let limit = object["limit"] as? String {
        #expect(["fma", "read", dtype == "bf16" ? "bf16" : "fma"].contains(limit), "\(object)")
      }
      for field in ["real_time", "useful_gflops", "peak_gflops", "read_gbytes_per_s"] {
        #expect((object[field] as? Double ?? 0) > 0, "\(field) in \(object)")
      }
    }
  }

  /// What changes scores, and every way to give lengths: all kernels are right, and what is compared says what it costs.
  @Test(arguments: ["f32", "f64", "bf16"]) func featuresAreMeasuredRight(dtype: String) throws {
    let sizes =
      #""batch": 3, "query_heads": 6, "key_value_heads": 3, "queries": 70, "keys": 70, "head_dim": 24, "value_dim": 8"#
    let lengths = #""key_lengths": [33, 0, 70]"#
    let list = try TemporaryFile(
      """
      [{"name": "plain", \(sizes), "mask": "none"},
       {"name": "capped", \(sizes), "mask": "none", "softcap": 1.5, "compare_with": "plain"},
       {"name": "causal", \(sizes), "mask": "causal"},
       {"name": "alibi", \(sizes), "mask": "causal", "alibi": true, "compare_with": "causal"},
       {"name": "sinks", \(sizes), "mask": "none", "sinks": true, "compare_with": "plain"},
       {"name": "packed", \(sizes), "mask": "lengths", \(lengths), "layout": "packed", "compare_with": "plain"},
       {"name": "both", \(sizes), "mask": "lengths", \(lengths), "query_lengths": [33, 0, 70]},
       {"name": "all", \(sizes), "mask": "causal", "left_window_size": 9, \(lengths), "layout": "packed", "softcap": 2,
        "alibi": true, "sinks": true, "compare_with": "causal"},
       {"name": "window", \(sizes), "mask": "causal", "left_window_size": 9},
       {"name": "cached", \(sizes.replacingOccurrences(of: "\"queries\": 70", with: "\"queries\": 5")), "mask": "causal",
        "key_lengths": [61, 2, 70], "alibi": true, "sinks": true}]
      """)
    let outcome = try Self.quickly(
      "--shapes", list.url.path, "--dtype", dtype, "--format", "json")
    #expect(outcome.code == 0, "\(outcome)")
    let objects = try outcome.rows()
    // What is compared with the same shape stands together.
    let order = ["plain", "capped", "sinks", "packed", "causal", "alibi", "all", "both", "window", "cached"]
    #expect(
      objects.map { "\($0["shape"] ?? "") \($0["engine"] ?? "")" }
        == order.flatMap { name in ["chosen", "gemm", "fused", "decode", "naive"].map { "\(name) \($0)" } })
    let plain = ["capped": "plain", "sinks": "plain", "packed": "plain", "alibi": "causal", "all": "causal"]
    for object in objects {
      #expect(Self.isRight(object), "\(object)")
      let expected = object["engine"] as? String == "chosen" ? plain[object["shape"] as? String ?? ""] : nil
      #expect(object["compared_with"] as? String == expected, "\(object)")
      #expect(((object["vs_plain"] as? Double ?? 0) > 0) == (expected != nil), "\(object)")
    }
  }

  /// Every kernel is right where it computes; only one that is forced may be unable to, and says why.
  private static func isRight(_ object: [String: Any]) -> Bool {
    let isForced = ["gemm", "fused", "decode"].contains(object["engine"] as? String)
    switch object["status"] as? String {
    case "ok": return true
    case "skipped": return isForced && object["reason"] is String && object["real_time"] as? Int == 0
    default: return false
    }
  }

  @Test func theTimeSpentCanBeChosen() throws {
    func rounds(_ seconds: String) throws -> Int {
      let outcome = try Self.bench(
        "--seconds", seconds, "--only", "tiny", "--kernel", "chosen", "--format", "json")
      #expect(outcome.code == 0, "\(outcome)")
      return try #require(try outcome.rows().first?["rounds"] as? Int)
    }
    // Rounds of 20 ms: so many at least, and more only where the time allows it and the machine is uneven.
    #expect(try rounds("0.01") == 9)
    #expect(9...101 ~= (try rounds("0.3")))
  }

  @Test func aComparedShapeAloneBringsItsPlainOneAlong() throws {
    let outcome = try Self.quickly("--only", "gpt2-alibi", "--kernel", "chosen", "--format", "json")
    #expect(outcome.code == 0, "\(outcome)")
    let objects = try outcome.rows()
    #expect(objects.map { $0["shape"] as? String } == ["gpt2-alibi"])
    #expect(objects[0]["compared_with"] as? String == "gpt2-prefill")
    #expect((objects[0]["vs_plain"] as? Double ?? 0) > 0)
  }

  @Test(arguments: ["f32", "f64", "f16", "bf16"]) func rotaryEmbeddingIsMeasuredRight(dtype: String) throws {
    let outcome = try Self.bench("--quick", "--only", "rotary-2048", "--dtype", dtype, "--format", "json")
    #expect(outcome.code == 0, "\(outcome)")
    let objects = try outcome.rows()
    try #require(objects.count == 1)
    #expect(
      objects[0]["engine"] as? String == "rotary" && objects[0]["status"] as? String == "ok", "\(objects)")
    for field in ["real_time", "streamed_gbytes_per_s", "read_write_gbytes_per_s", "share_of_limit"] {
      #expect((objects[0][field] as? Double ?? 0) > 0, "\(field) in \(objects)")
    }
    // Double may well agree to the last bit.
    let error = try #require(objects[0]["max_error"] as? Double)
    let bounds = ["f32": 2e-5, "f64": 2e-11, "f16": 2e-2, "bf16": 2e-1]
    #expect(error <= objects[0]["tolerance"] as? Double ?? 0)
    #expect(objects[0]["tolerance"] as? Double ?? 1 < bounds[dtype] ?? 0)
  }

  @Test func oneKernelAloneIsATableWithItsMachine() throws {
    let outcome = try Self.quickly("--only", "minilm-layer3", "--kernel", "gemm")
    #expect(outcome.code == 0, "\(outcome)")
    for words in ["processor", "FMA peak", "bf16 peak", "OpenBLAS", "hand-off", "minilm-layer3", "of limit"] {
      #expect(outcome.output.contains(words), "\(words) in \(outcome.output)")
    }
    #expect(outcome.output.contains("minilm-layer3  f32    gemm "), "\(outcome.output)")
    for other in ["chosen", "fused", "decode", "naive"] {
      #expect(!outcome.output.contains("minilm-layer3  f32    \(other)"), "\(outcome.output)")
    }
  }

  @Test func plansAreExplained() throws {
    let outcome = try Self.bench(
      "--explain", "--only", "gpt2-prefill,chunk-16,bert-packed,gpt2-softcap,rotary-2048", "--dtype",
      "f32,f64")
    #expect(outcome.code == 0, "\(outcome)")
    for words in [
      "gpt2-prefill f32: ", "gpt2-prefill f64", "chunk-16 f32", "gemm", "fused", "bert-packed f32", "softcap",
      "rotary-2048 f64",
    ] {
      #expect(outcome.output.contains(words), "\(words) in \(outcome.output)")
    }
  }

  @Test func aWrongListEndsInOneLine() throws {
    let file = try TemporaryFile("[{}]")
    let outcome = try Self.bench("--shapes", file.url.path)
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "Error: \(file.url.path): entry 1: name is missing\n", "\(outcome)")
  }
}
