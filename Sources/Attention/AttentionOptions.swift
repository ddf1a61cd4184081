/// Temporary stand-in, to be replaced.
public enum SoftmaxPrecision: Hashable, Sendable {
  /// The accumulation type.
  case accumulator
  /// Double.
  case float64
}

/// Temporary stand-in, to be replaced.
public struct AttentionOptions: Sendable {
  /// The bound of scores.
  public var softcap: Double?
  /// One a query head.
  public var sinks: [Double]?
  /// The type of the softmax.
  public var softmaxPrecision: SoftmaxPrecision

  /// Options.
  public init(
    softcap: Double? = nil, sinks: [Double]? = nil, softmaxPrecision: SoftmaxPrecision = .accumulator
  ) {
    self.softcap = softcap
    self.sinks = sinks
    self.softmaxPrecision = softmaxPrecision
  }
}
