import Attention
import AttentionReference
import Parallelism
import Testing

/// Holds a result against the Float64 oracle at the contract's tolerance.
///
/// Float32 from unit-variance inputs: 2e-6. Half types: `2 · max|naive − ref| + 1e-5`. Float64: the same arithmetic in
/// Double loses at most as many ulps as Float32 does: 2e-6 scaled by 2⁻²⁹, the ratio of the two types' steps, is 4e-15.
/// The log-sum-exp of Float32 rounds at its own size, up to some ten: a relative 1e-6 is 16 of its steps.
func expectMatchesOracle<E: AttentionElement>(
  _ result: (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>),
  _ inputs: (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>), scale: Double? = nil,
  _ rules: MaskCase.Rules, _ context: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  let oracle = AttentionOracle(
    queries: inputs.q, keys: inputs.k, values: inputs.v, scale: scale, isVisible: rules.isVisible,
    bias: rules.bias)
  let (output, logSumExp) = oracle.all()
  let tolerance: Tolerance
  let sumTolerance: Tolerance
  switch E.elementType {
  case .float32:
    tolerance = .unitVarianceFloat
    sumTolerance = Tolerance(relative: 1e-6, absolute: 2e-6)
  case .float64:
    tolerance = Tolerance(absolute: 4e-15)
    sumTolerance = Tolerance(relative: 2e-15, absolute: 4e-15)
  default:
    let naive = naiveAttention(
      queries: inputs.q, keys: inputs.k, values: inputs.v, scale: scale, isVisible: rules.isVisible,
      bias: rules.bias)
    tolerance = .twiceNaive(naive, reference: output)
    sumTolerance = Tolerance(relative: 1e-6, absolute: 2e-6)
  }
  let worst = tolerance.worstMismatch(result.output, expected: output)
  #expect(worst == nil, "output, \(context)", sourceLocation: sourceLocation)
  let worstSum = sumTolerance.worstMismatch(result.logSumExp, expected: logSumExp)
  #expect(worstSum == nil, "log-sum-exp, \(context)", sourceLocation: sourceLocation)
}

/// Pools that all tests share: threads beyond the cores are as right as fewer.
enum Pools {
  static let one = WorkerPool(threads: 1)
  static let two = WorkerPool(threads: 2)
  static let three = WorkerPool(threads: 3)
  static let seven = WorkerPool(threads: 7)
}
