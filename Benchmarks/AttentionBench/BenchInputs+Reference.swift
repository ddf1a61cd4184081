import Attention
import AttentionReference
import BenchmarkKit

// The problem as the reference takes it: a sequence at a time, with rules worded by the shape and not by the code under test.

extension BenchInputs {
  /// Whether a query of a sequence sees a key; nil where all see all.
  private func isVisible(sequence: Int) -> ((_ query: Int, _ key: Int) -> Bool)? {
    if shape.mask.kind == .none && shape.storage.queryLengths == nil { return nil }
    let ranges = (0..<shape.storedQueries(sequence: sequence)).map {
      shape.visibleKeys(sequence: sequence, query: $0)
    }
    return { query, key in ranges[query].contains(key) }
  }

  /// What is added to the scores of a head in a sequence; nil for nothing.
  private func bias(sequence: Int, head: Int) -> ((_ query: Int, _ key: Int) -> Double)? {
    guard let slope = alibiSlopes?[head] else { return nil }
    let offset = shape.position(sequence: sequence, query: 0)
    return { query, key in -slope * Double(abs(query + offset - key)) }
  }

  /// The naive kernel's output `[1, 1, queries, Dv]` for some queries of one head.
  func naive(_ queries: Range<Int>, sequence: Int, head: Int) -> Tensor<E> {
    func select(_ tensor: Tensor<E>, _ head: Int) -> Tensor<E> {
      self.sequence(sequence, of: tensor).sliced(axis: 1, head..<head + 1)
    }
    let keyHead = head / (shape.sizes.queryHeads / shape.sizes.keyValueHeads)
    let first = queries.lowerBound
    return naiveAttention(
      queries: select(self.queries, head).sliced(axis: 2, queries), keys: select(keys, keyHead),
      values: select(values, keyHead),
      rules: ScoreRules(
        softcap: shape.scores.softcap, sinks: sinks.map { [$0[head]] },
        isVisible: isVisible(sequence: sequence).map { rule in { rule($2 + first, $3) } },
        bias: bias(sequence: sequence, head: head).map { rule in { rule($2 + first, $3) } }))
  }

  /// A row of the naive kernel's output.
  func naiveRow(_ row: RowIndex) -> [Double] {
    naive(row.query..<row.query + 1, sequence: row.sequence, head: row.head).elements.map(\.doubleValue)
  }

  /// The right output of a row.
  func oracleRow(_ row: RowIndex) -> [Double] {
    let (shape, sequence) = (shape, row.sequence)
    let oracle = AttentionOracle(
      queries: self.sequence(sequence, of: queries), keys: self.sequence(sequence, of: keys),
      values: self.sequence(sequence, of: values),
      rules: ScoreRules(
        softcap: shape.scores.softcap, sinks: sinks,
        isVisible: { shape.visibleKeys(sequence: sequence, query: $2).contains($3) },
        bias: bias(sequence: sequence, head: row.head).map { rule in { rule($2, $3) } }))
    return oracle.row(sequence: 0, head: row.head, query: row.query).output
  }
}
