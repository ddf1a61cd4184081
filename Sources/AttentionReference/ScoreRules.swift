/// How the reference makes scores of dot products, and weights of scores; the defaults are plain attention.
///
///     s[j] = scale · (q · k[j])                        scale defaults to 1/√D
///     s[j] = softcap · tanh(s[j] / softcap)            where softcap > 0
///     s[j] += bias[j]
///     p[j] = exp(s[j]) / (Σ_j exp(s[j]) + exp(sink))   over the visible keys; the sink only where sinks are given
public struct ScoreRules {
  /// A question about one score: `(sequence, head, query, key)`, the head being a query head.
  public typealias Rule<Answer> = (_ sequence: Int, _ head: Int, _ query: Int, _ key: Int) -> Answer

  /// What dot products are multiplied by; `1/√D` when nil.
  public var scale: Double?
  /// The bound that scores approach; none when nil or 0.
  public var softcap: Double?
  /// For each query head, a score that takes part in the sum of the weights and has no value; none when nil.
  public var sinks: [Double]?
  /// Whether a key counts; all do when nil.
  public var isVisible: Rule<Bool>?
  /// What is added to a score; nothing when nil. −∞ hides the key.
  public var bias: Rule<Double>?

  /// Rules; those left out are plain attention's.
  public init(
    scale: Double? = nil, softcap: Double? = nil, sinks: [Double]? = nil, isVisible: Rule<Bool>? = nil,
    bias: Rule<Double>? = nil
  ) {
    self.scale = scale
    self.softcap = softcap
    self.sinks = sinks
    self.isVisible = isVisible
    self.bias = bias
  }

  /// - Precondition: one sink for each query head where sinks are given.
  func check(_ sizes: ReferenceSizes) {
    precondition(
      sinks == nil || sinks?.count == sizes.queryHeads,
      "\(sinks?.count ?? 0) sinks for \(sizes.queryHeads) query heads")
  }
}
