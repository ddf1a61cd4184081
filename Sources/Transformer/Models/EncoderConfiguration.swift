import LinearAlgebra

/// What an encoder is built like: the sizes and rules that a model's file gives.
public struct EncoderConfiguration: Sendable {
  /// How many layers.
  public var layers: Int
  /// The width of a token between layers.
  public var width: Int
  /// The width between the products of a feed-forward layer.
  public var feedForwardWidth: Int
  /// Heads of attention; each is `width / heads` wide.
  public var heads: Int
  /// How many tokens there are.
  public var vocabulary: Int
  /// The most tokens of a sequence: each place has an embedding.
  public var positions: Int
  /// How many types of tokens have an embedding.
  public var types: Int
  /// What norms add to the variance.
  public var normEpsilon: Float
  /// The function of feed-forward layers.
  public var activation: Activation

  /// Throws where a size is out of all bounds, so that nothing later overflows.
  ///
  /// - Parameter source: what errors call the file.
  func checked(_ source: String) throws(ModelError) -> EncoderConfiguration {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(ModelError) {
      guard range.contains(value) else {
        throw ModelError(source, "\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check("the number of layers", layers, 1...4096)
    try check("the width", width, 1...1 << 20)
    try check("the feed-forward width", feedForwardWidth, 1...1 << 22)
    try check("the number of heads", heads, 1...1 << 16)
    try check("the vocabulary", vocabulary, 1...1 << 24)
    try check("the number of positions", positions, 1...1 << 24)
    try check("the number of token types", types, 1...1 << 16)
    guard width.isMultiple(of: heads) else {
      throw ModelError(source, "\(heads) heads share a width of \(width), expected a divisor")
    }
    guard normEpsilon.isFinite, normEpsilon >= 0 else {
      throw ModelError(
        source, "the epsilon of norms is \(normEpsilon), expected a finite number of at least 0")
    }
    return self
  }
}
