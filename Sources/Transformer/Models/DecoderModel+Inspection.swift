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
  /// `[1, Hkv, T, D]`, turned by their positions.
  public let keys: Tensor<Float>
  /// `[1, Hkv, T, D]`
  public let values: Tensor<Float>

  /// Both, as attention takes them.
  public var keyValues: KeyValues { KeyValues(keys: keys, values: values) }
}

extension DecoderModel {
  /// What the attention of a layer takes when the model reads these tokens.
  ///
  /// - Parameters:
  ///   - layer: counted from 0.
  ///   - tokens: one or more, as many as ``context`` at most.
  /// - Throws: ``Attention/AttentionError`` where the layer or a token is out of range, or there are too few or too many tokens.
  ///
  /// Computes the layers before it, with a cache of Floats.
  public func attentionCall(layer: Int, tokens: [Int]) throws(AttentionError) -> AttentionCall {
    guard layers.indices.contains(layer) else {
      throw AttentionError("layer", "\(layer) given, expected 0..<\(layers.count)")
    }
    var found: AttentionCall?
    try forEachAttentionCall(tokens: tokens) { (index, call) throws(AttentionError) in
      if index == layer { found = try call() }
      return index < layer
    }
    guard let found else { preconditionFailure("layer \(layer) was not reached") }
    return found
  }

  /// Goes through the layers as the model reads these tokens.
  ///
  /// - Parameters:
  ///   - tokens: one or more, as many as ``context`` at most.
  ///   - body: gets the number of each layer and what makes its call, whose tensors are good until `body` returns true: the next layers write
  ///     over them. False ends the pass.
  /// - Throws: ``Attention/AttentionError`` where a token is out of range, or there are too few or too many; what `body` throws.
  ///
  /// One pass, with a cache of Floats: looking at all layers costs little more than reading the tokens.
  public func forEachAttentionCall(
    tokens: [Int],
    _ body: (_ layer: Int, _ call: () throws(AttentionError) -> AttentionCall) throws(AttentionError) -> Bool
  ) throws(AttentionError) {
    guard (1...context).contains(tokens.count) else {
      throw AttentionError("tokens", "\(tokens.count) given, expected 1 to the context of \(context)")
    }
    guard let first = layers.first else { return }
    let pool = try makePool(keys: .float32, values: .float32, pages: (tokens.count + 63) / 64)
    let step = try KeyValueStep([pool.makeSequence()], appending: [tokens.count])
    try check([tokens], step)
    let x = try embedded(tokens)
    let positions = RotaryPositions.ids(try step.positions)
    let pass = DecoderPass(
      cache: StepCache(step: step, lengths: [tokens.count]), positions: positions, queryType: .float32)
    let scratch = try DecoderScratch(rows: x.rows, first, width: x.width)
    for (index, layer) in layers.enumerated() {
      let goesOn = try body(index) { () throws(AttentionError) in
        try layer.attention.call(scratch.heads, positions) { layer.attentionNorm.apply(to: x[$0], into: $1) }
      }
      if !goesOn { return }
      try layer.run(x, layer: index, pass, scratch)
    }
  }
}
