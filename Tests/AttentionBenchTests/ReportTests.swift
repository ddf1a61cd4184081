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

  private static func report(_ format: ReportFormat) -> any Report {
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

  @Test func jsonLinesParseBack() throws {
    let report = Self.report(.jsonl)
    #expect(report.opening + report.closing(Self.rows, Caveats(noise: ["loud"])) == [])
    let objects = try Self.rows.map { row in
      try #require(report.lines(row).count == 1)
      let line = report.lines(row)[0]
      #expect(!line.contains("\n"))
      return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    let required = [
      "name", "kernel", "dtype", "threads", "median_ms", "p20_ms", "p80_ms", "rounds", "useful_gflops",
      "kv_gbytes_per_s", "peak_gflops", "read_gbytes_per_s", "max_error", "status", "reason",
      "scaled_from_pairs", "streamed_gbytes_per_s", "read_write_gbytes_per_s", "compared_with", "vs_plain",
      "plan",
    ]
    for object in objects { #expect(Set(required).subtracting(object.keys).isEmpty) }
    #expect(objects.map { $0["status"] as? String } == ["ok", "failed", "skipped", "ok"])
    #expect(objects.map { $0["plan"] as? String } == ["fused", "fused", nil, nil])
    #expect(objects[2]["plan"] is NSNull)
    #expect(objects[0]["median_ms"] as? Double == 2000)
    #expect(objects[0]["useful_gflops"] as? Double == 4)
    #expect(objects[0]["kv_gbytes_per_s"] as? Double == 2)
    #expect(objects[0]["max_error"] as? Double == 2.5e-7)
    #expect(objects[0]["scaled_from_pairs"] is NSNull)
    #expect(objects[1]["reason"] as? String == "a, \"b\" | c\nd \\ \u{1}")
    #expect(objects[1]["max_error"] is NSNull)
    #expect(objects[1]["read_gbytes_per_s"] is NSNull)
    #expect(objects[1]["scaled_from_pairs"] as? Int == 7)
    #expect(objects[2]["median_ms"] is NSNull)
    #expect(objects[0]["compared_with"] as? String == "plain")
    #expect(objects[0]["vs_plain"] as? Double == 1.0725)
    #expect(objects[0]["streamed_gbytes_per_s"] is NSNull)
    #expect(objects[0]["read_write_gbytes_per_s"] is NSNull)
    #expect(objects[3]["vs_plain"] is NSNull && objects[3]["compared_with"] is NSNull)
    #expect(objects[3]["streamed_gbytes_per_s"] as? Double == 3)
    #expect(objects[3]["read_write_gbytes_per_s"] as? Double == 4)
    #expect(objects[3]["share_of_limit"] as? Double == 0.75)
    #expect(objects[3]["useful_gflops"] is NSNull && objects[3]["kv_gbytes_per_s"] is NSNull)
    #expect(objects[3]["peak_gflops"] is NSNull)
  }

  @Test func everyLineOfCSVHasTheColumnsOfTheFirst() throws {
    let report = Self.report(.csv)
    let opening = report.opening
    #expect(opening.count == 1)
    let columns = Self.cells(ofCSV: opening[0])
    #expect(columns == Self.measured.fields.map(\.name))
    for row in Self.rows { #expect(Self.cells(ofCSV: report.lines(row)[0]).count == columns.count) }
    let reason = try #require(columns.firstIndex(of: "reason"))
    #expect(Self.cells(ofCSV: report.lines(Self.failed)[0])[reason] == "a, \"b\" | c\nd \\ \u{1}")
  }

  /// A reader of RFC 4180.
  private static func cells(ofCSV line: String) -> [String] {
    var cells = [""]
    var isQuoted = false
    for character in line {
      switch character {
      case "\"":
        // A doubled quote closes and opens again; the quote itself is put back.
        if !isQuoted && cells[cells.count - 1].last != nil { cells[cells.count - 1].append("\"") }
        isQuoted.toggle()
      case "," where !isQuoted: cells.append("")
      default: cells[cells.count - 1].append(character)
      }
    }
    return cells
  }

  /// A count of operations is exact in every form for programs, and what is measured has the same digits.
  @Test func programsReadTheSameNumbers() throws {
    var row = ResultRow(
      name: "a-1", kernel: "chosen", dtype: "f32", threads: 2,
      work: .attention(usefulFlops: 805_306_369, keyValueBytes: 12_345_677))
    row.set([Turn(seconds: 0.00123456789)])
    for format in [ReportFormat.csv, .jsonl, .sql] {
      let line = Self.report(format).lines(row).joined()
      for number in ["805306369", "12345677", "1.23456789"] {
        #expect(line.contains(number), "\(number) in \(line)")
      }
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
