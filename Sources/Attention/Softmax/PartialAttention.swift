import Tensors

/// Memory for the results of one call after another, on their way into a ``RunningAttention``. It is allocated once: the system would clear fresh
/// memory for each call.
package struct PartialAttention<Element: AttentionElement>: Sendable {
  private var output: Tensor<Element>
  private var sums: Tensor<Element.Accumulator>
  private let heads: Int

  /// Memory for so many rows at most.
  ///
  /// - Throws: ``AttentionError`` where there is none.
  package init(rows: Int, heads: Int, width: Int) throws(AttentionError) {
    self.heads = heads
    output = try allocated([rows, heads, width], for: "queries", [rows, heads, width])
    sums = try allocated([heads * rows], for: "queries", [rows, heads, width])
  }

  /// Attention of one packed sequence `[count, heads, D]` over some of its keys.
  ///
  /// - Returns: output `[count, heads, width]`, and the logarithms `[heads, count]` of what it was divided by: log-sum-exps of the weights as they
  ///   multiplied the values. Parts that are merged by them come to what one call over all keys does, which divides by that sum as well; a kernel that
  ///   rounds weights to bfloat16 need not sum them unrounded too. Valid until the next call.
  /// - Throws: ``AttentionError``, as ``ScaledDotProductAttention/write(_:_:to:logSumExp:)``.
  package mutating func attend(
    _ attend: ScaledDotProductAttention, _ queries: Tensor<Element>, _ keyValues: KeyValues
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    let count = queries.shape[0]
    let shape: Shape = [heads, count]
    let rows = Queries.packed(queries, lengths: [count]).queries.rows
    let call = try PlannedAttention(attend, rows, keyValues)
    try output.withMutableView { (output) throws(AttentionError) in
      try sums.withMutableView { (sums) throws(AttentionError) in
        let result = try AttentionResult(
          output.sliced(axis: 0, 0..<count), logSumExp: MutableTensorView(base: sums.base, shape: shape),
          of: .asMultiplied, checkedFor: call.problem.layout)
        try call.run(into: result, on: attend.pool)
      }
    }
    withExtendedLifetime(rows) { withExtendedLifetime(keyValues) {} }
    return try results(count)
  }

  /// What the last call of so many rows gave.
  package func results(
    _ count: Int
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    (
      output.sliced(axis: 0, 0..<count),
      try sums.sliced(axis: 0, 0..<heads * count).reshaped(to: [heads, count])
    )
  }
}
