/// The three input tensors, kept alive while a problem points into them.
struct AttentionInputs<Element: AttentionElement> {
  let queries: Tensor<Element>
  let keys: Tensor<Element>
  let values: Tensor<Element>

  /// A fresh output tensor that `body` fills.
  func withOutput(
    of problem: AttentionProblem, _ body: (MutableTensorView<Element>) -> Void
  ) -> Tensor<Element> {
    let shape = problem.sizes.outputShape
    let output = Tensor<Element>(unsafeUninitializedShape: shape) { memory in
      guard let base = memory.baseAddress else { return }
      body(MutableTensorView(base: base, shape: shape))
    }
    withExtendedLifetime((self, problem)) {}
    return output
  }

  /// Fresh output and log-sum-exp tensors that `body` fills.
  func withOutputAndLogSumExp(
    of problem: AttentionProblem, _ body: (AttentionResult) -> Void
  ) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    var logSumExp = Tensor<Element.Accumulator>.zeros(problem.sizes.logSumExpShape)
    let output = logSumExp.withMutableView { logSumExp in
      withOutput(of: problem) { output in
        body(AttentionResult(output: output, logSumExp: logSumExp))
      }
    }
    return (output, logSumExp)
  }
}
