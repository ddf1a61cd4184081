import Attention
import AttentionInspection

/// The part of a case that is looked at, which its flags choose.
struct InspectedPart {
  let sequence: Int
  /// Query heads.
  let heads: RangeSet<Int>
  /// Queries of the report.
  let queries: RangeSet<Int>
  /// Keys of heat maps.
  let keys: RangeSet<Int>
}

/// Inspects some heads of one sequence, and computes nothing of others.
///
/// Weights come a head after the other, a block of rows at a time: once for the sums of all rows, again for the rows of chosen
/// queries, and again for heat maps. Beside the block, which ``AttentionInspector`` bounds, one row is held as `Tk` Doubles.
struct CaseInspection<Element: AttentionElement> {
  let inspector: AttentionInspector<Element>
  let name: String
  let selection: InspectedPart
  let labels: (queries: TokenLabels, keys: TokenLabels)

  /// The report.
  ///
  /// - Parameters:
  ///   - top: how many keys of a query are kept.
  ///   - keepsRows: whether whole rows are kept too.
  func report(top: Int, keepsRows: Bool) throws(AttentionError) -> InspectionReport {
    let (sequence, heads, queries) = (selection.sequence, selection.heads, selection.queries)
    var report = InspectionReport(of: self)
    // Runs of heads, because those that share values share what is found out about them.
    for run in heads.ranges {
      for summary in try inspector.summaries(sequences: sequence..<sequence + 1, heads: run) {
        report.heads.append(
          InspectionReport.Head(
            summary: summary, keyValueHead: inspector.keyValueHead(of: summary.head)))
      }
    }
    if queries.isEmpty { return report }
    for (place, head) in heads.members.enumerated() {
      let norms = try inspector.valueNorms(sequence: sequence, head: head)
      try forEachRow(of: queries, head: head) { query, weights in
        report.heads[place].queries.append(
          InspectionReport.Query(query, weights: weights, norms: norms, top: top, keepsRow: keepsRows))
      }
    }
    return report
  }

  /// The rows of heat maps: the chosen queries, or all of them where none are.
  var rows: RangeSet<Int> {
    selection.queries.isEmpty ? RangeSet(0..<inspector.queryCount) : selection.queries
  }

  /// The heat map of each head, with ``rows`` and the chosen keys as columns.
  ///
  /// - Parameter showsNorms: contributions' norms instead of weights.
  func heatMaps(showsNorms: Bool) throws(AttentionError) -> [HeatMap] {
    let (sequence, heads, columns) = (selection.sequence, selection.heads, selection.keys.members)
    let limit = heads.memberCount == 1 ? HeatMapFigure.cellLimit : HeatMapFigure.smallCellLimit
    var maps: [HeatMap] = []
    for head in heads.members {
      let norms = showsNorms ? try inspector.valueNorms(sequence: sequence, head: head) : nil
      var map = HeatMap(rows: rows.memberCount, columns: columns.count, limit: limit)
      var row = 0
      try forEachRow(of: rows, head: head) { _, weights in
        map.add(row: row, weights, at: columns, factors: norms)
        row += 1
      }
      maps.append(map)
    }
    return maps
  }

  /// Calls `body` with each row of a head in order: the query, and its weights.
  private func forEachRow(
    of queries: RangeSet<Int>, head: Int,
    _ body: (_ query: Int, _ weights: UnsafeBufferPointer<Double>) -> Void
  ) throws(AttentionError) {
    for run in queries.ranges {
      try inspector.forEachBlock(sequence: selection.sequence, head: head, queries: run) { block, weights in
        for (row, query) in block.enumerated() {
          weights.selected(axis: 0, row).converted(to: Double.self).withUnsafePointer {
            body(query, UnsafeBufferPointer(start: $0, count: inspector.keyCount))
          }
        }
      }
    }
  }
}
