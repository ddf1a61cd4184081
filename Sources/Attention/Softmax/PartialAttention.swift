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

  /// Has `body` write output `[count, heads, width]` and log-sum-exp `[heads, count]`, and gives both. They are valid until the next call.
  package mutating func computed(
    _ count: Int,
    _ body: (MutableTensorView<Element>, MutableTensorView<Element.Accumulator>) throws(AttentionError) ->
      Void
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    let shape: Shape = [heads, count]
    try output.withMutableView { (output) throws(AttentionError) in
      try sums.withMutableView { (sums) throws(AttentionError) in
        try body(
          output.sliced(axis: 0, 0..<count), MutableTensorView(base: sums.base, shape: shape))
      }
    }
    return (
      output.sliced(axis: 0, 0..<count), try sums.sliced(axis: 0, 0..<heads * count).reshaped(to: shape)
    )
  }
}
