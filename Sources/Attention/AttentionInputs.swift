/// The inputs of a call, kept alive while a problem points into them.
struct AttentionInputs<Element: AttentionElement> {
  /// `[B, Hq, Tq, D]`, or `[total, Hq, D]` where sequences are packed.
  let queries: Tensor<Element>
  let keyValues: KeyValues<Element>
  /// Where sequences lie in packed tensors; nil for a padded batch.
  var packing: PackedSequences?
  var scale: Double?
  var mask = AttentionMask.none
  var options = AttentionOptions()

  /// A fresh output tensor that `body` fills.
  func withOutput(
    of problem: AttentionProblem, _ body: (MutableTensorView<Element>) -> Void
  ) throws(AttentionError) -> Tensor<Element> {
    var output: Tensor<Element> = try allocated(outputShape(problem.sizes), for: "queries", queries.shape)
    output.withMutableView(body)
    withExtendedLifetime((self, problem)) {}
    return output
  }

  /// Fresh output and log-sum-exp tensors that `body` fills.
  func withOutputAndLogSumExp(
    of problem: AttentionProblem, _ body: (AttentionResult) -> Void
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    var logSumExp: Tensor<Element.Accumulator> = try allocated(
      logSumExpShape(problem.sizes), for: "queries", queries.shape)
    let output = try logSumExp.withMutableView { (logSumExp) throws(AttentionError) in
      try withOutput(of: problem) { output in
        body(AttentionResult(output: output, logSumExp: logSumExp))
      }
    }
    return (output, logSumExp)
  }

  /// `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` where sequences are packed.
  func outputShape(_ sizes: AttentionSizes) -> Shape {
    packing == nil
      ? [sizes.batch, sizes.queryHeads, sizes.queryCount, sizes.valueDimension]
      : [queries.shape[0], sizes.queryHeads, sizes.valueDimension]
  }

  /// Throws unless an output that the caller brings has its shape: the queries', but for the width.
  func check(output shape: Shape, _ sizes: AttentionSizes) throws(AttentionError) {
    // Axis by axis: the right shape, as an array, would be allocated for each call.
    guard shape.last == sizes.valueDimension, shape.dropLast().elementsEqual(queries.shape.dropLast()) else {
      throw AttentionError("output", "shape \(shape) given, expected \(outputShape(sizes))")
    }
  }

  /// `[B, Hq, Tq]`, or `[Hq, total]` where sequences are packed.
  func logSumExpShape(_ sizes: AttentionSizes) -> Shape {
    packing == nil
      ? [sizes.batch, sizes.queryHeads, sizes.queryCount] : [sizes.queryHeads, queries.shape[0]]
  }
}
