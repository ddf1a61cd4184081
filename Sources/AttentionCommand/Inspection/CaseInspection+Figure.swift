import Attention
import AttentionInspection

extension CaseInspection {
  /// The heat maps with their titles, labels and notes.
  ///
  /// - Parameter showsNorms: contributions' norms instead of weights.
  func figure(showsNorms: Bool) throws(AttentionError) -> HeatMapFigure {
    let maps = try heatMaps(showsNorms: showsNorms)
    let heads = selection.heads.members
    let isSingle = heads.count == 1
    let what = showsNorms ? "Norms of contributions" : "Attention weights"
    let place = isSingle ? ", head \(heads[0])" : ""
    let sequences = inspector.sequenceCount > 1 ? ", sequence \(selection.sequence)" : ""
    return HeatMapFigure(
      title: "\(what), \(name.printable.truncated(toColumns: 40))\(sequences)\(place)",
      measure: showsNorms ? "‖p[i,j] · v[j]‖, square-root scale" : "weight p[i,j], square-root scale",
      notes: notes(maps.first),
      panels: zip(heads, maps).map { HeatMapFigure.Panel(title: "head \($0)", map: $1) },
      rows: Self.side(labels.queries, maps[0].bin.rows, isSingle ? rows.members : []),
      columns: Self.side(labels.keys, maps[0].bin.columns, isSingle ? selection.keys.members : []))
  }

  private func notes(_ map: HeatMap?) -> [String] {
    guard let map else { return [] }
    func count(_ shown: Int, of all: Int, _ what: String) -> String {
      shown == all ? what : "\(shown) of \(all) \(what)"
    }
    var notes = [
      "Rows: \(count(map.size.rows, of: inspector.queryCount, "queries")). "
        + "Columns: \(count(map.size.columns, of: inspector.keyCount, "keys"))."
    ]
    if map.isBinned {
      notes.append("Each cell: the largest of \(map.bin.rows) × \(map.bin.columns) neighbours.")
    }
    return notes
  }

  /// A label for each cell along one side: the token, or the number without tokens, or the range that shares the cell.
  private static func side(_ labels: TokenLabels, _ bin: Int, _ positions: [Int]) -> HeatMapFigure.Side {
    let starts = stride(from: 0, to: positions.count, by: bin)
    let texts = starts.map { start in
      let (first, last) = (positions[start], positions[min(start + bin, positions.count) - 1])
      if first == last, let token = labels.shown(first, columns: 18) { return token }
      return first == last ? "\(first)" : "\(first)–\(last)"
    }
    return HeatMapFigure.Side(labels: texts, areNames: bin == 1 && labels.tokens != nil)
  }
}
