import Attention
import BenchmarkKit
import DistributedAttention
import Foundation

/// What a model says of a call on 1, 2, 4, … nodes, as a table and as a chart.
package struct Projection: Sendable {
  private let rows: [ProjectedCall.Row]
  private let call: ProjectedCall
  private let model: ClusterModel

  /// - Parameter nodes: the most; a last row where it is no power of two.
  /// - Throws: ``AttentionError`` where the call does not fit.
  package init(_ call: ProjectedCall, nodes: Int, _ model: ClusterModel) throws {
    (self.call, self.model) = (call, model)
    var counts = Array(sequence(first: 1) { $0 <= nodes / 2 ? $0 * 2 : nil })
    if counts.last != nodes { counts.append(nodes) }
    rows = try counts.flatMap { (count) throws(AttentionError) in try call.rows(ranks: count, model) }
  }

  /// The share of the nodes' time that one node would need as well; nil where one node cannot take that way.
  private func efficiency(_ row: ProjectedCall.Row) -> Double? {
    rows.first { $0.way == row.way && $0.ranks == 1 }.map {
      $0.time.seconds / (row.time.seconds * Double(row.ranks))
    }
  }

  /// A table, with what it rests on before.
  package func lines(threads: Int) -> [String] {
    let header = [
      "nodes", "way", "time, s", "efficiency", "in messages", "sent, MB", "memory, GB", "pick",
    ]
    let cells = rows.map { row in
      [
        "\(row.ranks)", row.way.rawValue, short(row.time.seconds),
        efficiency(row).map(Self.percent) ?? "-", Self.percent(row.time.waiting / row.time.seconds),
        short(Double(row.sent.bytes) / 1e6), short(Double(row.memory) / 1e9), row.isPick ? "pick" : "",
      ]
    }
    let table = TextTable(.table, header, words: [1, 7], rows: cells)
    return [
      "a prompt of \(call.prompt) tokens, a token over \(call.keys) keys: \(call.heads) heads on \(call.keyHeads) of width \(call.width), \(call.type), one layer",
      "measured here, a node of \(counted(threads, "thread")): " + model.rates.words,
      "assumed of the link: " + model.link.words,
    ] + table.heading + cells.map { table.line($0) }
  }

  /// Times against nodes.
  package func chart(threads: Int) -> LineChart {
    func series(_ way: DistributedPlan.Way, _ scale: Double) -> [LineChart.Series] {
      let points = rows.filter { $0.way == way }.map { (x: Double($0.ranks), y: $0.time.seconds * scale) }
      return points.isEmpty ? [] : [LineChart.Series(way.rawValue, points)]
    }
    func panel(_ title: String, _ unit: String, _ series: [LineChart.Series]) -> LineChart.Panel {
      let ideal = series.first.flatMap { first in
        first.points.first.map { alone in
          LineChart.Series("divided evenly", first.points.map { ($0.x, alone.y / $0.x) })
        }
      }
      return LineChart.Panel(title: title, x: "nodes", y: unit, series: series, ideal: ideal)
    }
    return LineChart(
      title: "Attention of one layer over a cluster, projected",
      notes: [
        "\(call.heads) query heads on \(call.keyHeads) of width \(call.width), \(call.type); a node of \(counted(threads, "thread")), measured: \(model.rates.words).",
        "The link is assumed: \(model.link.words). No cluster was measured.",
      ],
      panels: [
        panel(
          "Prefill of \(call.prompt) causal tokens", "seconds",
          series(.prefill, 1) + series(.prefillByHeads, 1)),
        panel("Decode over \(call.keys) keys", "milliseconds", series(.decode, 1e3)),
      ])
  }

  private static func percent(_ fraction: Double) -> String { String(format: "%.1f %%", 100 * fraction) }
}
