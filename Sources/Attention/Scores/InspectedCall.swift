/// One call of attention for whoever looks inside it: its sizes, the weights of a head's rows, and the values that they average.
package struct InspectedCall<Element: AttentionElement>: Sendable {
  private let attention: ScaledDotProductAttention
  private let queries: Queries<Element>
  private let keyValues: KeyValues

  /// Checked, as the call's would be.
  package let sizes: AttentionSizes

  /// - Throws: ``AttentionError``, as the call would.
  package init(
    _ attention: ScaledDotProductAttention, _ queries: Queries<Element>, _ keyValues: KeyValues
  ) throws(AttentionError) {
    self.attention = attention
    self.queries = queries
    self.keyValues = keyValues
    sizes = try AttentionProblem(attention, queries.rows, keyValues).sizes
  }

  /// The weights of some queries of one head, `[n, Tk]`. The head exists.
  package func weights(
    sequence: Int, head: Int, queries rows: Range<Int>
  ) throws(AttentionError) -> Tensor<Element.Accumulator> {
    try attention.scores(queries, keyValues, ScoreRequest(rows: rows, head: (sequence, head)), .best)
  }

  /// The values of a key/value head. The head exists.
  package func values(sequence: Int, head: Int) throws(AttentionError) -> ValueRows {
    ValueRows(
      try keyValues.sources().values, columns: sizes.valueDimension, count: keyValues.length(sequence),
      of: (sequence, head))
  }
}
