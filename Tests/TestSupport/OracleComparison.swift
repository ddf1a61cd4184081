import AttentionReference
import Tensors
import Testing

/// The definition of a mask, over (sequence, head, query, key).
package struct MaskRules {
  package var isVisible: (Int, Int, Int, Int) -> Bool
  package var bias: (Int, Int, Int, Int) -> Double

  /// All keys are visible and nothing is added, where nothing else is said.
  package init(
    isVisible: @escaping (Int, Int, Int, Int) -> Bool = { _, _, _, _ in true },
    bias: @escaping (Int, Int, Int, Int) -> Double = { _, _, _, _ in 0 }
  ) {
    self.isVisible = isVisible
    self.bias = bias
  }

  /// Whether nothing in the key can reach the query.
  package func hides(_ sequence: Int, _ head: Int, _ query: Int, _ key: Int) -> Bool {
    !isVisible(sequence, head, query, key) || bias(sequence, head, query, key) == -.infinity
  }
}

/// The oracle's answer to one problem, computed once for all that is compared with it.
package struct OracleAnswer {
  package let output: Tensor<Double>
  package let logSumExp: Tensor<Double>
  /// The contract's, for inputs of unit variance.
  package let tolerance: AttentionTolerance

  package init<E>(_ oracle: AttentionOracle<E>) {
    (output, logSumExp) = oracle.all()
    tolerance = AttentionTolerance(oracle, reference: output)
  }

  /// For inputs under a mask.
  package init<E: FloatingPointElement>(
    _ inputs: AttentionTensors<E>, scale: Double? = nil, _ rules: MaskRules
  ) {
    self.init(
      AttentionOracle(
        queries: inputs.q, keys: inputs.k, values: inputs.v,
        rules: ScoreRules(scale: scale, isVisible: rules.isVisible, bias: rules.bias)))
  }

  /// Holds a result against the answer.
  ///
  /// - Parameter bound: how far the output may be off, where that is not the contract's.
  package func expect<E: FloatingPointElement, Sum: FloatingPointElement>(
    _ result: (output: Tensor<E>, logSumExp: Tensor<Sum>), within bound: Tolerance? = nil,
    _ context: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let worst = (bound ?? tolerance.output).worstMismatch(result.output, expected: output)
    #expect(worst == nil, "output, \(context())", sourceLocation: sourceLocation)
    let worstSum = tolerance.logSumExp.worstMismatch(result.logSumExp, expected: logSumExp)
    #expect(worstSum == nil, "log-sum-exp, \(context())", sourceLocation: sourceLocation)
  }
}

/// Holds a result against the Float64 oracle, at the contract's tolerance for inputs of unit variance.
package func expectMatchesOracle<E: FloatingPointElement, Sum: FloatingPointElement>(
  _ result: (output: Tensor<E>, logSumExp: Tensor<Sum>), _ inputs: AttentionTensors<E>,
  scale: Double? = nil, _ rules: MaskRules, _ context: @autoclosure () -> String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  OracleAnswer(inputs, scale: scale, rules).expect(result, context(), sourceLocation: sourceLocation)
}
