import Attention

/// Inspects one case: two passes over blocks of weights, one for the sums, one for the rows that were chosen.
struct CaseInspection<Element: AttentionElement> {
  let inspector: AttentionInspector<Element>
  let name: String
  let sequence: Int
  /// Query heads, ascending.
  let heads: [Int]
  /// Queries of the report, ascending.
  let queries: [Int]
  /// Keys of heat maps, ascending.
  let keys: [Int]
  let labels: (queries: TokenLabels, keys: TokenLabels)

  /// The report.
  ///
  /// - Parameters:
  ///   - top: how many keys of a query are kept.
  ///   - keepsRows: whether whole rows are kept too.
  func report(top: Int, keepsRows: Bool) throws(AttentionError) -> InspectionReport {
    var report = InspectionReport(
      name: name, sequence: sequence, queryLabels: labels.queries, keyLabels: labels.keys,
      queryHeadCount: inspector.headCount, keyValueHeadCount: inspector.keys.shape[1],
      valueWidth: inspector.valueWidth, isSingle: Element.Accumulator.elementType == .float32)
    let summaries = try inspector.summaries()
    for head in heads {
      report.heads.append(
        InspectionReport.Head(
          summary: summaries[sequence * inspector.headCount + head],
          keyValueHead: inspector.keyValueHead(of: head)))
    }
    if queries.isEmpty { return report }
    let norms = try valueNorms()
    try forEachRow(of: queries) { place, query, weights in
      report.heads[place].queries.append(
        InspectionReport.Query(
          query, weights: weights, norms: norms[place], top: top, keepsRow: keepsRows))
    }
    return report
  }

  /// The heat map of each head, rows being ``queries``, or all of them where none are chosen, and columns ``keys``.
  ///
  /// - Parameter showsNorms: contributions' norms instead of weights.
  func heatMaps(showsNorms: Bool) throws(AttentionError) -> [HeatMap] {
    let rows = queries.isEmpty ? Array(0..<inspector.queryCount) : queries
    let limit = heads.count == 1 ? HeatMapFigure.cellLimit : HeatMapFigure.smallCellLimit
    let empty = HeatMap(rows: rows.count, columns: keys.count, limit: limit)
    var maps = [HeatMap](repeating: empty, count: heads.count)
    var rowCounts = [Int](repeating: 0, count: heads.count)
    let norms = showsNorms ? try valueNorms() : nil
    try forEachRow(of: rows) { place, _, weights in
      maps[place].add(row: rowCounts[place], weights, at: keys, factors: norms?[place])
      rowCounts[place] += 1
    }
    return maps
  }

  /// Calls `body` with each row of each head, those of a head in order: the head's place among ``heads``, the query, and
  /// its weights.
  private func forEachRow(
    of queries: [Int], _ body: (_ place: Int, _ query: Int, _ weights: UnsafeBufferPointer<Double>) -> Void
  ) throws(AttentionError) {
    for run in contiguousRuns(of: queries) {
      try inspector.forEachBlock(of: run) { block, weights in
        let weights = weights.selected(axis: 0, sequence)
        for (place, head) in heads.enumerated() {
          let rows = weights.selected(axis: 0, head).converted(to: Double.self).contiguous()
          rows.withUnsafePointer { base in
            for (row, query) in block.enumerated() {
              let start = base + row * inspector.keyCount
              body(place, query, UnsafeBufferPointer(start: start, count: inspector.keyCount))
            }
          }
        }
      }
    }
  }

  private func valueNorms() throws(AttentionError) -> [[Double]] {
    var norms: [[Double]] = []
    for head in heads { norms.append(try inspector.valueNorms(sequence: sequence, head: head)) }
    return norms
  }
}
