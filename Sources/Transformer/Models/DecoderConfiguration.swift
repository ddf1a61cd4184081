import Attention
import LinearAlgebra

/// What a decoder is built like: the sizes and rules that a model's file gives.
public struct DecoderConfiguration: Sendable {
  /// The families that this target builds; Mistral and SmolLM are Llamas.
  public enum Family: String, Sendable, CaseIterable {
    /// Llama 2 and 3, Mistral, SmolLM.
    case llama
    /// With biases on queries, keys and values.
    case qwen2
    /// With norms on the queries and keys of each head.
    case qwen3
    /// Softcaps, windows on every other layer, norms on what is added.
    case gemma2
    /// As Gemma 2 without softcaps, with norms of queries and keys, windows on most layers and two rotary bases.
    case gemma3
  }

  /// The family.
  public var family: Family
  /// How many layers.
  public var layers: Int
  /// The width of a token between layers.
  public var width: Int
  /// The width between the products of a feed-forward layer.
  public var feedForwardWidth: Int
  /// `Hq`
  public var queryHeads: Int
  /// `Hkv`
  public var keyValueHeads: Int
  /// `D`, also the width of a value's head.
  public var headDimension: Int
  /// How many tokens there are.
  public var vocabulary: Int
  /// The tokens that the model was trained to see at once.
  public var contextLength: Int
  /// What norms add to the mean of squares.
  public var normEpsilon: Float
  /// The function of feed-forward layers.
  public var activation: Activation
  /// The rotary base of layers that see everything.
  public var rotaryBase: Double
  /// How rotary embedding is stretched there.
  public var rotaryScaling: RotaryScaling = .none
  /// Which numbers are a pair in this file.
  public var rotaryLayout: RotaryEmbedding.Layout
  /// The rotary base of layers with a window; that of all where nil.
  public var windowRotaryBase: Double?
  /// For each layer, how many tokens a query sees, its own included; nil for all.
  public var windows: [Int?]
  /// The factor on scores; `1/√D` where nil.
  public var scale: Double?
  /// The bound of scores; nil for none.
  public var attentionSoftcap: Double?
  /// The bound of logits; nil for none.
  public var logitSoftcap: Double?
  /// What embeddings are multiplied by.
  public var embeddingScale: Float = 1
  /// Whether logits are products with the embedding's weight, where the file has no other.
  public var tiesEmbeddings = true
  /// What norms' weights are in the file less what they multiply by: 1 where the file stores `weight − 1`.
  public var normOffset: Float = 0

  /// Throws where a size is out of all bounds, so that nothing later overflows.
  ///
  /// - Parameter source: what errors call the file.
  func checked(_ source: String) throws(ModelError) -> DecoderConfiguration {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(ModelError) {
      guard range.contains(value) else {
        throw ModelError(source, "\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check("the number of layers", layers, 1...4096)
    try check("the width", width, 1...1 << 20)
    try check("the feed-forward width", feedForwardWidth, 1...1 << 22)
    try check("the number of heads", queryHeads, 1...1 << 16)
    try check("the number of key/value heads", keyValueHeads, 1...queryHeads)
    try check("the head dimension", headDimension, 2...1 << 16)
    try check("the vocabulary", vocabulary, 1...1 << 24)
    try check("the context length", contextLength, 1...1 << 24)
    guard queryHeads.isMultiple(of: keyValueHeads) else {
      throw ModelError(
        source, "\(queryHeads) heads share \(keyValueHeads) key/value heads, expected a divisor")
    }
    guard headDimension.isMultiple(of: 2) else {
      throw ModelError(source, "the head dimension is \(headDimension), expected an even number")
    }
    guard normEpsilon.isFinite, normEpsilon >= 0 else {
      throw ModelError(
        source, "the epsilon of norms is \(normEpsilon), expected a finite number of at least 0")
    }
    for (name, softcap) in [
      ("the softcap of scores", attentionSoftcap), ("the softcap of logits", logitSoftcap),
    ] {
      guard let softcap else { continue }
      guard softcap.isFinite, softcap >= 1e-6, softcap <= 1e9 else {
        throw ModelError(source, "\(name) is \(softcap), expected 1e-6 to 1e9")
      }
    }
    for base in [rotaryBase] + (windowRotaryBase.map { [$0] } ?? []) {
      guard base.isFinite, base >= 1 else {
        throw ModelError(source, "a rotary base is \(base), expected a finite number of at least 1")
      }
    }
    for window in windows.compactMap(\.self) { try check("a window", window, 1...1 << 30) }
    guard windows.count == layers else {
      throw ModelError(source, "windows of \(windows.count) layers, expected \(layers)")
    }
    return self
  }
}
