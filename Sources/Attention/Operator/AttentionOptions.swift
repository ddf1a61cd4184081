/// What turns scores into weights, beyond the mask: a bound on scores, sinks, and the precision of the softmax.
///
///     s[i,j] = softcap · tanh(s[i,j] / softcap)                                            before the mask's biases
///     p[i,j] = exp(s[i,j] − m[i]) / (Σ_j exp(s[i,j] − m[i]) + exp(sink[h] − m[i]))
///
/// The defaults are plain attention.
public struct AttentionOptions: Hashable, Sendable {
  /// The bound that scaled scores approach (Gemma 2, Grok); nil and 0 leave them as they are.
  public var softcap: Double?

  /// One a query head: a score that takes its share of the weights and has no value (attention sinks as GPT-OSS has them).
  /// A head's weights then add up to less than 1; the log-sum-exp does not count it. −∞ is no sink; +∞ takes all the weight.
  public var sinks: [Double]?

  /// What scores, softmax and sums are kept in.
  public var softmaxPrecision: SoftmaxPrecision

  /// Options; those left out are plain attention's.
  public init(
    softcap: Double? = nil, sinks: [Double]? = nil, softmaxPrecision: SoftmaxPrecision = .accumulator
  ) {
    self.softcap = softcap
    self.sinks = sinks
    self.softmaxPrecision = softmaxPrecision
  }
}

/// What scores, softmax and sums are kept in.
public enum SoftmaxPrecision: Hashable, Sendable, CaseIterable {
  /// ``AttentionElement/Accumulator``: Double for Double, Float for all others.
  case accumulator
  /// Double for all: products and softmax then have half as many lanes, and tiles twice the bytes.
  case float64
}

extension AttentionOptions {
  /// Throws where an option makes no sense for a problem.
  ///
  /// - Parameter isDouble: whether scores are kept in Double.
  func check(_ sizes: AttentionSizes, isDouble: Bool) throws(AttentionError) {
    if let softcap, softcap != 0 {
      // Its inverse has to be a number too, which may be subnormal.
      let isUsable = isDouble ? softcap.isNormal : Float(softcap).isNormal
      guard softcap > 0, isUsable else {
        throw AttentionError(
          "softcap", "\(softcap) given, expected a positive number of the accumulation type, or 0 for none")
      }
    }
    if let sinks, sinks.count != sizes.queryHeads {
      throw AttentionError(
        "sinks", "\(sinks.count) given, expected one for each of \(sizes.queryHeads) query heads")
    }
  }
}
