import AttentionReference
import Tensors

extension ElementType {
  /// Half the distance between 1 and the next number: the largest relative error of one rounding.
  ///
  /// - Precondition: a floating-point type.
  package var unitRoundoff: Double {
    switch self {
    case .float64: 0x1p-53
    case .float32: 0x1p-24
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    case .int64, .int32, .int8, .uint8, .bool: preconditionFailure("\(self) does not round")
    }
  }
}

/// How far an output and its log-sum-exp may be from the exact ones.
package struct AttentionTolerance {
  package let output: Tolerance
  package let logSumExp: Tolerance

  /// The contract's tolerance for inputs of unit variance.
  ///
  /// Float32: 2e-6. Half types: `2 · max|naive − ref| + 1e-5`. Float64: the same arithmetic in Double loses at most as many ulps as
  /// Float32 does: 2e-6 scaled by 2⁻²⁹, the ratio of the two types' steps, is 4e-15. The log-sum-exp of Float32 rounds at its own
  /// size, up to some ten: a relative 1e-6 is 16 of its steps.
  ///
  /// - Parameter reference: the oracle's output.
  package init<E>(_ oracle: AttentionOracle<E>, reference: Tensor<Double>) {
    switch E.elementType {
    case .float64:
      output = Tolerance(absolute: 4e-15)
      logSumExp = Tolerance(relative: 2e-15, absolute: 4e-15)
      return
    case .float32: output = .unitVarianceFloat
    case .float16, .bfloat16:
      let naive = naiveAttention(
        queries: oracle.queries, keys: oracle.keys, values: oracle.values, rules: oracle.rules)
      output = .twiceNaive(naive, reference: reference)
    case .int64, .int32, .int8, .uint8, .bool: preconditionFailure("attention over \(E.elementType)")
    }
    logSumExp = Tolerance(relative: 1e-6, absolute: 2e-6)
  }
}
