import BenchmarkKit
import Foundation
import Testing

@Suite struct ReportTests {
  private static let measured: ResultRow = {
    var row = ResultRow(
      name: "a-1", kernel: "chosen", dtype: "f32", threads: 2,
      work: .attention(usefulFlops: 8e9, keyValueBytes: 4e9),
      limits: MachineLimits(flopsPerSecond: 16e9, readBytesPerSecond: 5e9))
    row.set([Turn](repeating: Turn(seconds: 2), count: 3))
    row.plan = "fused"
    row.speedup = 12.5
    row.comparedWith = "plain"
    row.costOverPlain = 1.0725
    row.maxError = 2.5e-7
    row.tolerance = 2e-6
    return row
  }()

  private static let failed: ResultRow = {
    var row = measured
    row.status = .failed("a, \"b\" | c\nd \\ \u{1}")
    row.maxError = .nan
    row.limits.readBytesPerSecond = .infinity
    row.scaledFromPairs = 7
    return row
  }()

  private static let skipped: ResultRow = {
    var row = ResultRow(
      name: "b", kernel: "naive", dtype: "bf16", threads: 1,
      work: .attention(usefulFlops: 1, keyValueBytes: 1))
    row.status = .skipped("too large")
    return row
  }()

  private static let streamed: ResultRow = {
    var row = ResultRow(
      name: "r", kernel: "rotary", dtype: "f32", threads: 2, work: .stream(bytes: 6e9),
      limits: MachineLimits(readWriteBytesPerSecond: 4e9))
    row.set([Turn](repeating: Turn(seconds: 2), count: 3))
    return row
  }()

  static let rows = [measured, failed, skipped, streamed]

  private static func report(_ format: ReportFormat) -> Report {
    format.report(names: ["a-1", "a-much-longer-name"], context: RunContext())
  }

  @Test(arguments: [ReportFormat.table, .markdown]) func noiseStandsBeforeAndAfterTables(format: ReportFormat)
  {
    var context = RunContext()
    context.noise = ["busy before"]
    let report = format.report(names: ["a-1"], context: context)
    #expect(report.opening.contains { $0.contains("busy before") })
    let closing = report.closing([], Caveats(noise: ["busy during"], precision: ["2 of 9 are wide"]))
    #expect(closing.contains { $0.hasSuffix("noise: busy during") })
    #expect(closing.contains { $0.hasSuffix("precision: 2 of 9 are wide") })
    #expect(
      !report.closing([], Caveats()).contains { $0.contains("noise:") || $0.contains("precision:") })
  }

  @Test func theNearestLimitIsNamed() throws {
    let read = try #require(Self.measured.share)
    #expect(read.limit == "read" && read.fraction == 0.4)
    #expect(Self.skipped.share == nil)
    #expect([false, true, false, false] == Self.rows.map(\.isFailure))
    var dotProducts = Self.measured
    dotProducts.limits = MachineLimits(flopsPerSecond: 8e9, in: .bfloat16, readBytesPerSecond: 5e9)
    let share = try #require(dotProducts.share)
    #expect(share.limit == "bf16" && share.fraction == 0.5)
    let streamed = try #require(Self.streamed.share)
    #expect(streamed.limit == "r+w")
    #expect(streamed.fraction == 0.75)
  }

  @Test func countersAreThoseOfTheRow() throws {
    let lines = ReportFormat.json.report(names: [], context: RunContext()).closing(Self.rows, Caveats())
    let rows = try BenchProcess.Outcome(code: 0, output: lines.joined(separator: "\n"), errors: "").rows()
    #expect(rows.map { $0["status"] as? String } == ["ok", "failed", "skipped", "ok"])
    #expect(rows.map { $0["reason"] as? String } == [nil, "a, \"b\" | c\nd \\ \u{1}", "too large", nil])
    let numbers = [
      "real_time": 2000, "useful_gflops": 4, "kv_gbytes_per_s": 2, "max_error": 2.5e-7, "vs_plain": 1.0725,
      "speedup": 12.5, "tolerance": 2e-6, "share_of_limit": 0.4,
    ]
    for (name, number) in numbers { #expect(rows[0][name] as? Double == number, "\(name)") }
    #expect(rows[0]["compared_with"] as? String == "plain" && rows[0]["plan"] as? String == "fused")
    #expect(rows[3]["streamed_gbytes_per_s"] as? Double == 3 && rows[3]["limit"] as? String == "r+w")
    #expect(rows[3]["read_write_gbytes_per_s"] as? Double == 4)
    // What there is nothing to tell of.
    for name in ["scaled_from_pairs", "streamed_gbytes_per_s", "read_write_gbytes_per_s", "batch"] {
      #expect(rows[0][name] is NSNull, "\(name)")
    }
    for name in ["useful_flops", "useful_gflops", "kv_gbytes_per_s", "peak_gflops", "vs_plain", "plan"] {
      #expect(rows[3][name] is NSNull, "\(name)")
    }
  }

  @Test func markdownIsNeitherBrokenNorHTML() throws {
    var row = Self.failed
    row.status = .failed("<class 'x'> [1](y) __init__ a|b\nc `d` \u{1B}[31m")
    let line = try #require(Self.report(.markdown).lines(row).first)
    #expect(
      line.hasSuffix(
        #"FAILED: \<class 'x'\> \[1\](y) \_\_init\_\_ a\|b c \`d\`  \[31m |"#), "\(line)")
    row.kernel = "numpy"
    row.status = .skipped("<class 'x'> __init__")
    let notes = SideBySide(peers: ["numpy"], [row]).lines(.markdown)
    #expect(notes.contains(#"* numpy f32, a-1: \<class 'x'\> \_\_init\_\_"#), "\(notes)")
  }

  @Test func markdownRowsHaveTheCellsOfTheHeader() {
    let report = Self.report(.markdown)
    let lines = report.opening.suffix(2) + Self.rows.flatMap(report.lines)
    for line in lines {
      #expect(line.hasPrefix("| ") && line.hasSuffix(" |") && !line.contains("\n"), "\(line)")
      let bars = line.replacingOccurrences(of: "\\\\", with: "").replacingOccurrences(of: "\\|", with: "")
      #expect(bars.filter { $0 == "|" }.count == 13, "\(line)")
    }
    #expect(lines.contains { $0.contains("| chosen (fused) |") })
    #expect(lines.contains { $0.contains("| naive |") })
    #expect(lines.contains { $0.contains("| 1.07 | 40% read |") })
    #expect(lines.contains { $0.contains("| 3.00 |  |  | 75% r+w |") })
  }

  @Test func tableColumnsLineUp() throws {
    let report = Self.report(.table)
    let heading = try #require(report.opening.last)
    let position = try #require(heading.range(of: "status")).lowerBound.utf16Offset(in: heading)
    for (row, word) in zip(Self.rows, ["ok", "FAILED: a", "skipped: too large", "ok"]) {
      #expect(report.lines(row)[0].dropFirst(position).hasPrefix(word), "\(report.lines(row))")
    }
    #expect(report.lines(Self.failed)[0].contains("~2000"))
    let cost = try #require(heading.range(of: "vs plain")).upperBound.utf16Offset(in: heading)
    #expect(report.lines(Self.measured)[0].prefix(cost).hasSuffix(" 1.07"))
  }

  @Test(
    arguments: [
      (0, "0"), (0.1234, "0.123"), (0.012345, "0.0123"), (-0.0012345, "-0.00123"), (0.00012345, "0.000123"),
      (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234"),
      (2.5e-7, "2.5e-07"),
      (1e7, "1.0e+07"),
    ] as [(Double, String)])
  func numbersAreShort(number: Double, text: String) {
    #expect(short(number) == text)
  }
}
