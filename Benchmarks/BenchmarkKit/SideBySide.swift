/// Ours beside other engines: a line for each shape and type, and below them why cells are empty.
package struct SideBySide {
  private let peers: [String]
  private var rows: [(shape: String, dtype: String, entries: [ResultRow])] = []

  /// The table of these rows, with a column for each of these engines. Workloads that no peer was asked for are left out.
  package init(peers: [String], _ results: [ResultRow]) {
    self.peers = peers
    for row in results {
      if let index = rows.firstIndex(where: { $0.shape == row.name && $0.dtype == row.dtype }) {
        rows[index].entries.append(row)
      } else {
        rows.append((row.name, row.dtype, [row]))
      }
    }
  }

  /// What follows the results in such a report: nothing where there is no peer, or the report is for programs.
  package func lines(_ format: ReportFormat) -> [String] {
    let compared = rows.filter { row in row.entries.contains { peers.contains($0.kernel) } }
    guard let format = format.table, !peers.isEmpty, !compared.isEmpty else { return [] }
    let header = ["shape", "dtype", "ours, ms", "kernel"] + peers.map { "\($0), ms" } + ["x best peer"]
    let cells = compared.map { row in line(row.shape, row.dtype, row.entries) }
    let table = TextTable(format, header, words: [0, 1, 3], rows: cells)
    return [""] + table.heading + cells.map(table.line) + [""] + notes(compared).map(table.item)
  }

  private func line(_ shape: String, _ dtype: String, _ entries: [ResultRow]) -> [String] {
    let ours = ours(entries)
    let others = peers.map { name in entries.first { $0.kernel == name && $0.isMeasured } }
    let ratios = others.compactMap { peer in
      ours.flatMap { ours in peer.flatMap { Self.ratio(of: $0, over: ours) } }
    }
    return [shape, dtype, milliseconds(ours), ours.map { $0.plan ?? $0.kernel } ?? ""]
      + others.map(milliseconds)
      + [ratios.min().map { short($0) } ?? Self.none]
  }

  private static let none = "—"

  /// What users get; else the fastest of the kernels that were asked for.
  private func ours(_ entries: [ResultRow]) -> ResultRow? {
    let measured = entries.filter { !peers.contains($0.kernel) && $0.isMeasured }
    return measured.first { $0.plan != nil }
      ?? measured.min { ($0.seconds?.median ?? .infinity) < ($1.seconds?.median ?? .infinity) }
  }

  /// The other's time over ours, from the rounds that both took part in: round by round they met the same moments of the machine.
  package static func ratio(of other: ResultRow, over ours: ResultRow) -> Double? {
    let count = min(other.turns.count, ours.turns.count)
    guard count > 0 else { return nil }
    func median(_ row: ResultRow) -> Double { Quantiles(row.turns.prefix(count).map(\.seconds)).median }
    return median(other) / median(ours)
  }

  private func milliseconds(_ row: ResultRow?) -> String {
    row?.seconds.map { short($0.median * 1e3) } ?? Self.none
  }

  /// Why cells are empty, a line for each engine, type and reason; then what the columns mean.
  private func notes(_ compared: [(shape: String, dtype: String, entries: [ResultRow])]) -> [String] {
    var reasons: [(who: String, dtype: String, why: String, shapes: [String])] = []
    for row in compared {
      for entry in row.entries {
        let why: String
        switch entry.status {
        case .ok: continue
        case .failed(let reason): why = "FAILED: \(reason)"
        case .skipped(let reason): why = reason
        }
        let known = reasons.firstIndex {
          $0.who == entry.kernel && $0.dtype == entry.dtype && $0.why == why
        }
        if let known {
          reasons[known].shapes.append(row.shape)
        } else {
          reasons.append((entry.kernel, entry.dtype, why, [row.shape]))
        }
      }
    }
    return reasons.map { reason in
      let count = compared.count { $0.dtype == reason.dtype }
      let isEverywhere = reason.shapes.count == count && count > 1
      let places = isEverywhere ? "all" : reason.shapes.joined(separator: ", ")
      return "\(reason.who) \(reason.dtype), \(places): \(reason.why)"
    } + [
      "x best peer: the fastest other engine's time over ours, medians of the rounds that both took part in; "
        + "above 1 ours is faster."
    ]
  }
}

extension ResultRow {
  /// Whether there is a time that counts.
  fileprivate var isMeasured: Bool { status == .ok && seconds != nil }
}
