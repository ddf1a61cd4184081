import Attention
import LinearAlgebra

/// One call of attention as a model makes it, for whoever wants to look inside.
///
///     let call = try model.attentionCall(layer: 3, tokens: tokens)
///     let inspector = try AttentionInspector(call.attention, call.queries, call.keyValues)
public struct AttentionCall: Sendable {
  /// Scale, mask and options.
  public let attention: ScaledDotProductAttention
  /// `[1, Hq, T, D]`, turned by their positions.
  public let queries: Tensor<Float>
  /// `[1, Hkv, T, D]` each, keys turned by their positions.
  public let keyValues: KeyValues
}

extension DecoderModel {
  /// What the attention of a layer takes when the model reads these tokens.
  ///
  /// - Parameters:
  ///   - layer: counted from 0.
  ///   - tokens: one or more, as many as ``context`` at most.
  /// - Throws: ``AttentionError`` where the layer or a token is out of range, or there are too few or too many tokens.
  ///
  /// Computes the layers before it, with a cache of Floats.
  public func attentionCall(layer: Int, tokens: [Int]) throws(AttentionError) -> AttentionCall {
    guard layers.indices.contains(layer) else {
      throw AttentionError("layer", "\(layer) given, expected 0..<\(layers.count)")
    }
    guard (1...context).contains(tokens.count) else {
      throw AttentionError("tokens", "\(tokens.count) given, expected 1 to the context of \(context)")
    }
    let pool = try makePool(keys: .float32, values: .float32, pages: (tokens.count + 63) / 64)
    let step = try KeyValueStep([pool.makeSequence()], appending: [tokens.count])
    try check([tokens], step)
    let x = try embedded(tokens)
    let positions = RotaryPositions.ids(try step.positions)
    let pass = DecoderPass(step: step, positions: positions, lengths: [tokens.count], queryType: .float32)
    let scratch = try DecoderScratch(rows: x.rows, layers[layer], width: x.width)
    for index in 0..<layer { try layers[index].run(x, layer: index, pass, scratch) }
    let norm = layers[layer].attentionNorm
    return try layers[layer].attention.call(scratch.heads, positions) { norm.apply(to: x[$0], into: $1) }
  }
}
