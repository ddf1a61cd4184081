import Attention
import AttentionInspection
import Foundation

extension InspectionReport {
  /// The report for a terminal: a table of the heads, then for each head the keys that matter most to it.
  ///
  /// - Parameter top: how many keys are named.
  func text(top: Int) -> String {
    var lines = [
      "\(name.printable): sequence \(sequence), \(queryLabels.count) queries, \(keyLabels.count) keys, "
        + "\(queryHeadCount) query heads, \(keyValueHeadCount) key/value heads",
      "",
    ]
    lines += headTable
    for head in heads {
      lines += ["", "head \(head.summary.head)"]
      lines += Self.indented(keyTable(head.summary, top: top))
      if !head.queries.isEmpty { lines += [""] + Self.indented(queryTable(head)) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func indented(_ lines: [String]) -> [String] { lines.map { "  " + $0 } }

  /// One row a head.
  private var headTable: [String] {
    let hasSinks = heads.contains { $0.summary.sinkShare > 0 }
    var table = TextTable(
      [
        ("head", .right), ("entropy (nats)", .right), ("effective rank", .right), ("largest weight", .right),
        ("query → key", .left),
      ] + (hasSinks ? [("to the sink", .right)] : []))
    for head in heads {
      let summary = head.summary
      let place = summary.largestWeight.map {
        "\(queryLabels.numbered($0.query)) → \(keyLabels.numbered($0.key))"
      }
      let rankLimit = min(keyLabels.count, valueWidth)
      table.add(
        [
          "\(summary.head)", fixed(summary.entropy, 3), "\(fixed(summary.effectiveRank, 2)) of \(rankLimit)",
          summary.largestWeight.map { fixed($0.weight, 4) } ?? "none", place ?? "",
        ] + (hasSinks ? [percent(summary.sinkShare)] : []))
    }
    return table.lines
  }

  /// The keys that received most, by weight and, beside them, by what arrived.
  private func keyTable(_ summary: HeadSummary, top: Int) -> [String] {
    var table = TextTable([
      ("by weight received", .left), ("mass", .right), ("share", .right),
      ("   by norm contributed", .left), ("norm", .right), ("share", .right),
    ])
    func cells(_ numbers: [Double], _ ranking: [Int], _ rank: Int, _ show: (Double) -> String) -> [String] {
      guard rank < ranking.count else { return ["", "", ""] }
      let key = ranking[rank]
      return [
        keyLabels.numbered(key), show(numbers[key]), percent(numbers[key] / numbers.reduce(0, +)),
      ]
    }
    let byMass = largest(top, of: summary.mass)
    let byNorm = largest(top, of: summary.contributionMass)
    for rank in 0..<max(byMass.count, byNorm.count) {
      let left = cells(summary.mass, byMass, rank) { fixed($0, 2) }
      var right = cells(summary.contributionMass, byNorm, rank, significant)
      right[0] = "   " + right[0]
      table.add(left + right)
    }
    return table.lines
  }

  /// The keys that chosen queries look at.
  private func queryTable(_ head: Head) -> [String] {
    var table = TextTable([
      ("query", .left), ("key", .left), ("weight", .right), ("norm contributed", .right),
    ])
    for query in head.queries {
      let label = queryLabels.numbered(query.query)
      if query.top.isEmpty { table.add([label, "none", "", ""]) }
      for (rank, share) in query.top.enumerated() {
        table.add([
          rank == 0 ? label : "", keyLabels.numbered(share.key), fixed(share.weight, 4),
          significant(share.norm),
        ])
      }
    }
    return table.lines
  }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// A number of any size with four digits.
func significant(_ value: Double) -> String { String(format: "%.4g", value) }

private func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
