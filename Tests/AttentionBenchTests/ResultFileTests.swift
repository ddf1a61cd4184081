import BenchmarkKit
import Foundation
import TestSupport
import Testing

@Suite struct ResultFileTests {
  /// As `--benchmark_repetitions=2 --benchmark_enable_random_interleaving=true` writes it, shortened.
  @Test func googleBenchmarksOwnFilesAreRead() throws {
    let file = try ResultFile(
      Data(
        """
        {"context": {"date": "2026-11-25T14:00:00+00:00", "host_name": "h", "executable": "./bench", "num_cpus": 2,
          "mhz_per_cpu": 2596, "cpu_scaling_enabled": false, "aslr_enabled": true, "caches": [], "load_avg": [0.1, 0.2, 0.3],
          "library_version": "v1.9.4", "library_build_type": "release", "json_schema_version": 1},
         "benchmarks": [
          {"name": "BM_copy/8", "family_index": 0, "per_family_instance_index": 0, "run_name": "BM_copy/8", "run_type": "iteration",
           "repetitions": 2, "repetition_index": 1, "threads": 1, "iterations": 10, "real_time": 2.5e+01, "cpu_time": 2.4e+01,
           "time_unit": "ns"},
          {"name": "BM_copy/8", "family_index": 0, "per_family_instance_index": 0, "run_name": "BM_copy/8", "run_type": "iteration",
           "repetitions": 2, "repetition_index": 0, "threads": 1, "iterations": 10, "real_time": 2.0e+01, "cpu_time": 2.0e+01,
           "time_unit": "ns"},
          {"name": "BM_copy/8_mean", "run_name": "BM_copy/8", "run_type": "aggregate", "aggregate_name": "mean",
           "aggregate_unit": "time", "real_time": 2.25e+01, "cpu_time": 2.2e+01, "time_unit": "ns"}]}
        """.utf8))
    #expect(file.rows.map(\.name) == ["BM_copy/8"] && file.rows[0].shape == "BM_copy")
    #expect(file.rows[0].outcome == .seconds(22.5 * 1e-9))
  }

  /// Sweeps make names of up to 256 letters, and what was written can be read.
  @Test func theLongestShapeCanBeRead() throws {
    var row = ResultRow(
      name: String(repeating: "s", count: 256), kernel: "onnxruntime", dtype: "bf16", threads: 2,
      work: .attention(usefulFlops: 1, keyValueBytes: 1))
    row.set([Turn](repeating: Turn(seconds: 1), count: 6))
    let report = ReportFormat.json.report(names: [row.name], context: RunContext())
    let file = try ResultFile(Data(report.closing([row], Caveats()).joined(separator: "\n").utf8))
    #expect(file.rows.map(\.name) == ["\(row.name)/bf16/onnxruntime"])
  }

  private static func document(_ entry: String, context: String = "{}") -> String {
    #"{"context": \#(context), "benchmarks": [\#(entry)]}"#
  }

  @Test(arguments: [
    ("", "not valid JSON"), ("{", "not valid JSON"), ("\u{0}\u{1}", "not valid JSON"),
    (String(repeating: "[", count: 100_000), "not valid JSON"), ("[]", "expected an object"),
    ("null", "expected an object"),
    (#"{"benchmarks": []}"#, "context is missing"), (#"{"context": {}}"#, "benchmarks is missing"),
    (#"{"context": {}, "benchmarks": {}}"#, "expected an array"), (document(""), "no entries"),
    (document("3"), "\"benchmarks\", entry 1: expected an object"),
    (document(#"{"real_time": 1}"#), "name is missing"),
    (document(#"{"name": "", "real_time": 1}"#), "entry 1: name is"),
    (document(#"{"name": "a\u001b[31m", "real_time": 1}"#), "entry 1: name is"),
    (document(#"{"name": "a\nb", "real_time": 1}"#), "entry 1: name is"),
    (document(#"{"name": "\#(String(repeating: "a", count: 5000))", "real_time": 1}"#), "entry 1: name is"),
    (document(#"{"name": "a"}"#), "entry 1: real_time is missing"),
    (document(#"{"name": "a", "real_time": "1"}"#), "\"real_time\": expected a number"),
    (document(#"{"name": "a", "real_time": NaN}"#), "not valid JSON"),
    (document(#"{"name": "a", "real_time": 1e999}"#), "not valid JSON"),
    (document(#"{"name": "a", "real_time": -1}"#), "real_time is -1.0"),
    (document(#"{"name": "a", "real_time": 0}"#), "real_time is 0.0"),
    (document(#"{"name": "a", "real_time": 1e30}"#), "real_time is 1e+30"),
    (document(#"{"name": "a", "real_time": 1, "time_unit": "h"}"#), #"time_unit is "h""#),
    (document(#"{"name": "a", "run_type": "aggregate", "real_time": 1}"#), "no entries"),
    (document(#"{"name": "a", "real_time": 1}"#, context: "3"), "\"context\": expected an object"),
    (
      document(#"{"name": "a", "real_time": 1}"#, context: #"{"threads": "two"}"#),
      "\"threads\": expected a whole number"
    ),
    (
      document(#"{"name": "a", "real_time": 1}"#, context: #"{"noise": "none"}"#),
      "\"noise\": expected an array"
    ),
    (
      document(#"{"name": "a", "real_time": 1}"#, context: #"{"engines": []}"#),
      "\"engines\": expected an object"
    ),
  ])
  func hostileFilesAreRefusedInOneLine(text: String, reason: String) {
    let error = #expect(throws: BenchmarkError.self) { try ResultFile(Data(text.utf8)) }
    let line = error?.description ?? ""
    #expect(line.contains(reason), "\(line)")
    #expect(!line.contains("\n") && !line.contains("\u{1B}") && line.count < 300, "\(line)")
  }

  @Test func largeFilesAndWhatIsNoFileAreNotRead() throws {
    let file = try TemporaryFile()
    // Takes no room on the disk.
    try file.handle.truncate(atOffset: 1 << 30)
    for (path, reason) in [(file.url.path, "too large"), ("/dev/zero", "regular"), ("/nonesuch", "read")] {
      let error = #expect(throws: BenchmarkError.self) { try ResultFile.load(path: path) }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
  }
}
