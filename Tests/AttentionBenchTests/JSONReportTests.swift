import BenchmarkKit
import Foundation
import Testing

@Suite struct JSONReportTests {
  private static let rows: [ResultRow] = {
    var uneven = ResultRow(
      name: "a-1", kernel: "chosen", dtype: "f32", threads: 2,
      work: .attention(usefulFlops: 34_376_515_584, keyValueBytes: 4e6),
      limits: MachineLimits(flopsPerSecond: 16e9, readBytesPerSecond: 5e9))
    uneven.set(
      [0.003, 0.001, 0.002, 0.006, 0.003, 0.003].map { Turn(seconds: $0, calls: 7, cpuSeconds: 2 * $0) })
    uneven.plan = "fused"
    return [uneven] + ReportTests.rows
  }()

  private static func document(
    _ rows: [ResultRow], _ context: RunContext, _ caveats: Caveats = Caveats()
  ) throws -> (context: [String: Any], entries: [[String: Any]]) {
    let report = ReportFormat.json.report(names: ["a-1"], context: context)
    #expect(report.opening.isEmpty && rows.allSatisfy { report.lines($0).isEmpty })
    let text = report.closing(rows, caveats).joined(separator: "\n")
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    return (
      try #require(document["context"] as? [String: Any]),
      try #require(document["benchmarks"] as? [[String: Any]])
    )
  }

  @Test func everyRoundIsARepetition() throws {
    let (_, entries) = try Self.document([Self.rows[0]], RunContext())
    let rounds = entries.filter { $0["run_type"] as? String == "iteration" }
    #expect(rounds.map { $0["real_time"] as? Double } == [3, 1, 2, 6, 3, 3])
    #expect(rounds.map { $0["cpu_time"] as? Double } == [6, 2, 4, 12, 6, 6])
    #expect(rounds.map { $0["repetition_index"] as? Int } == Array(0..<6))
    for round in rounds {
      #expect(
        round["name"] as? String == "a-1/f32/chosen" && round["run_name"] as? String == "a-1/f32/chosen")
      #expect(round["repetitions"] as? Int == 6 && round["iterations"] as? Int == 7)
      #expect(round["family_index"] as? Int == 0 && round["per_family_instance_index"] as? Int == 0)
      #expect(round["time_unit"] as? String == "ms" && round["threads"] as? Int == 2)
      #expect(round["shape"] as? String == "a-1" && round["dtype"] as? String == "f32")
      #expect(round["engine"] as? String == "chosen")
    }
  }

  @Test func aggregatesAreGoogleBenchmarks() throws {
    let (_, entries) = try Self.document([Self.rows[0]], RunContext())
    let aggregates = Array(entries.dropFirst(6))
    #expect(aggregates.map { $0["aggregate_name"] as? String } == ["mean", "median", "stddev", "cv"])
    #expect(aggregates.map { $0["aggregate_unit"] as? String } == ["time", "time", "time", "percentage"])
    #expect(
      aggregates.map { $0["name"] as? String }
        == ["mean", "median", "stddev", "cv"].map { "a-1/f32/chosen_\($0)" })
    // Samples 1, 2, 3, 3, 3, 6: their squares add up to 14 beyond those of the mean.
    let expected = [3, 3, (14.0 / 5).squareRoot(), (14.0 / 5).squareRoot() / 3]
    for (entry, value) in zip(aggregates, expected) {
      let time = try #require(entry["real_time"] as? Double)
      #expect(abs(time - value) <= 1e-8, "\(entry)")
      #expect(entry["run_name"] as? String == "a-1/f32/chosen" && entry["iterations"] as? Int == 6)
    }
    let median = aggregates[1]
    #expect(median["plan"] as? String == "fused")
    #expect((median["useful_flops"] as? NSNumber)?.int64Value == 34_376_515_584)
    // The interval of six samples ends at the outermost ones.
    #expect(abs((median["median_ci_percent"] as? Double ?? 0) - 100 * 2.5 / 3) <= 1e-6)
    #expect(aggregates[0]["plan"] == nil)
  }

  @Test func whatWasNotMeasuredIsAnEntry() throws {
    let (_, entries) = try Self.document(Self.rows, RunContext())
    let unmeasured = entries.filter {
      $0["error_occurred"] as? Bool == true || $0["skipped"] as? Bool == true
    }
    #expect(unmeasured.count == 2)
    for entry in unmeasured {
      #expect(entry["run_type"] as? String == "iteration" && entry["real_time"] as? Double == 0)
    }
    #expect(Set(entries.compactMap { $0["family_index"] as? Int }) == Set(0..<5))
  }

  @Test func theContextIsGoogleBenchmarksAndOurs() throws {
    var context = RunContext(machine: MachineDescription(root: "/nonexistent"))
    context.date = "2026-01-02T03:04:05+01:00"
    context.arguments = ["--only", "a\"b"]
    context.environment = ["OMP_NUM_THREADS": "2"]
    context.peaks = [
      (.float32, ProbedRate(one: 1, all: 2.5)), (.bfloat16, ProbedRate(one: 3, all: .infinity)),
    ]
    context.seed = .max
    context.noise = ["before"]
    let (read, entries) = try Self.document([], context, Caveats(noise: ["during"], precision: ["wide"]))
    #expect(entries.isEmpty)
    for member in [
      "date", "host_name", "executable", "num_cpus", "caches",
      "load_avg", "library_version", "library_build_type", "json_schema_version", "cpu_model", "cpu_flags",
      "kernel",
      "numa_nodes", "threads", "openblas_version", "openblas_core", "kernel_set",
      "swift_version", "environment", "peak_gflops", "read_gbytes_per_s",
      "noise", "precision", "engines", "seed", "arguments",
    ] { #expect(read.keys.contains(member), "\(member)") }
    #expect(read["json_schema_version"] as? Int == 1)
    #expect(read["noise"] as? [String] == ["before", "during"])
    #expect(read["precision"] as? [String] == ["wide"])
    #expect(read["arguments"] as? [String] == ["--only", "a\"b"])
    #expect(read["environment"] as? [String: String] == ["OMP_NUM_THREADS": "2"])
    #expect((read["seed"] as? NSNumber)?.uint64Value == .max)
    let peaks = try #require(read["peak_gflops"] as? [String: Any])
    #expect(peaks["f32"] as? Double == 2.5 && peaks["bf16"] is String)
  }

  @Test func whatNobodyToldIsLeftOut() throws {
    var context = RunContext(machine: MachineDescription(root: "/nonexistent"))
    context.executable = "/home/somebody/package/.build/release/attention-bench"
    context.isDebugBuild = true
    let unknown = try Self.document([], context).context
    for member in ["mhz_per_cpu", "cpu_scaling_enabled", "aslr_enabled"] {
      #expect(unknown[member] == nil)
    }
    #expect(unknown["executable"] as? String == "attention-bench")
    #expect(unknown["library_build_type"] as? String == "debug")
    context.machine.megahertz = 2600
    context.machine.governor = "powersave"
    context.machine.hasRandomAddresses = true
    context.isDebugBuild = false
    let known = try Self.document([], context).context
    #expect(known["mhz_per_cpu"] as? Int == 2600 && known["cpu_scaling_enabled"] as? Bool == true)
    #expect(known["aslr_enabled"] as? Bool == true && known["library_build_type"] as? String == "release")
  }
}
