import BenchmarkKit
import Testing

@Suite struct SideBySideTests {
  private func row(
    _ kernel: String, _ seconds: [Double], plan: String? = nil, status: ResultRow.Status = .ok,
    shape: String = "bert"
  ) -> ResultRow {
    var row = ResultRow(
      name: shape, kernel: kernel, dtype: "f32", threads: 2,
      work: .attention(usefulFlops: 1, keyValueBytes: 1))
    row.set(seconds.map { Turn(seconds: $0) })
    row.plan = plan
    row.status = status
    return row
  }

  @Test func theRatioIsThatOfRoundsThatBothTookPartIn() {
    // Ours slows down after the peer has had enough: that does not count.
    let ours = row("chosen", [1, 1, 1, 9, 9, 9, 9], plan: "fused")
    #expect(SideBySide.ratio(of: row("numpy", [3, 2, 4]), over: ours) == 3)
    #expect(SideBySide.ratio(of: row("numpy", []), over: ours) == nil)
  }

  @Test func theFastestPeerCounts() {
    let table = SideBySide(
      peers: ["numpy", "pytorch"],
      [
        row("naive", [0.5]), row("chosen", [0.001], plan: "fused"), row("numpy", [0.004]),
        row("pytorch", [0.002]),
      ])
    let lines = table.lines(.table)
    #expect(
      lines[1].split(separator: " ").joined(separator: " ").hasSuffix("numpy, ms pytorch, ms x best peer"))
    #expect(
      lines[2].split(separator: " ") == ["bert", "f32", "1.00", "fused", "4.00", "2.00", "2.00"])
  }

  @Test func emptyCellsHaveTheirReasonOnce() {
    let rows = ["a", "b", "c"].flatMap { shape in
      [
        row("chosen", [0.001], plan: "fused", shape: shape),
        row("numpy", [], status: shape == "c" ? .failed("off by 1") : .skipped("cannot"), shape: shape),
      ]
    }
    let lines = SideBySide(peers: ["numpy"], rows).lines(.markdown)
    #expect(lines.contains("| a | f32 | 1.00 | fused | — | — |"))
    #expect(lines.contains("* numpy f32, a, b: cannot"))
    #expect(lines.contains("* numpy f32, c: FAILED: off by 1"))
  }

  @Test func withoutPeersOrForProgramsThereIsNone() {
    #expect(SideBySide(peers: [], [row("chosen", [1])]).lines(.table).isEmpty)
    #expect(SideBySide(peers: ["numpy"], [row("rotary", [1])]).lines(.table).isEmpty)
    let table = SideBySide(peers: ["numpy"], [row("rotary", [1]), row("chosen", [1]), row("numpy", [1])])
    #expect(!table.lines(.table).isEmpty)
    #expect(ReportFormat.allCases.allSatisfy { $0 == .table || $0 == .markdown || table.lines($0).isEmpty })
  }
}
