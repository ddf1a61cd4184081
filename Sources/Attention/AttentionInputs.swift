/// The three input tensors, kept alive while a problem points into them.
struct AttentionInputs<Element: AttentionElement> {
  let queries: Tensor<Element>
  let keys: Tensor<Element>
  let values: Tensor<Element>

  /// A fresh output tensor that `body` fills.
  func withOutput(
    of problem: AttentionProblem, _ body: (MutableTensorView<Element>) -> Void
  ) throws(AttentionError) -> Tensor<Element> {
    var output: Tensor<Element> = try allocate(problem.sizes.outputShape)
    output.withMutableView(body)
    withExtendedLifetime((self, problem)) {}
    return output
  }

  /// Fresh output and log-sum-exp tensors that `body` fills.
  func withOutputAndLogSumExp(
    of problem: AttentionProblem, _ body: (AttentionResult) -> Void
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    var logSumExp: Tensor<Element.Accumulator> = try allocate(problem.sizes.logSumExpShape)
    let output = try logSumExp.withMutableView { (logSumExp) throws(AttentionError) in
      try withOutput(of: problem) { output in
        body(AttentionResult(output: output, logSumExp: logSumExp))
      }
    }
    return (output, logSumExp)
  }

  /// Inputs can be views that repeat little memory; what they ask for in results may still be more than there is.
  private func allocate<Result: TensorElement>(_ shape: Shape) throws(AttentionError) -> Tensor<Result> {
    guard let tensor = Tensor<Result>.uninitialized(shape) else {
      throw AttentionError(
        "queries", "shape \(queries.shape) asks for a result \(shape) beyond this machine's memory")
    }
    return tensor
  }
}
