import Attention

/// A Llama: tokens in, logits of the next token out.
package struct Llama: Sendable {
  let configuration: Configuration
  /// `[vocabulary, width]`
  let embedding: Tensor<Float>
  package let layers: [Layer]
  let norm: RMSNorm
  /// From a token to its logits; the embedding's weights once more.
  let head: Projection<Float>
  package let rotary: RotaryEmbedding

  /// One value for all layers: what attention is in this model.
  package let attend = ScaledDotProductAttention(mask: .causal)

  package struct Layer: Sendable {
    let attentionNorm: RMSNorm
    let attention: MultiHeadAttention<Float>
    let feedForwardNorm: RMSNorm
    let feedForward: FeedForward
  }

  /// A pool that keeps so many pages of 16 tokens of this model.
  package func makePool(
    keys: KeyValueType = .float32, values: KeyValueType = .float32, pages: Int
  ) throws(AttentionError) -> KeyValuePool {
    try KeyValuePool(
      layers: layers.count, heads: configuration.numKeyValueHeads, depth: configuration.headDim,
      keys: keys, values: values, pageSize: 16, pages: pages)
  }

  /// The rows of the embedding: `[total, width]`.
  package func embedded(_ tokens: [Int]) throws(AttentionError) -> Tensor<Float> {
    var rows: [Tensor<Float>] = []
    for token in tokens {
      guard token >= 0, token < embedding.shape[0] else {
        throw AttentionError("tokens", "\(token) given, expected one in 0..<\(embedding.shape[0])")
      }
      rows.append(embedding.sliced(axis: 0, token..<token + 1))
    }
    return try Tensor.concatenate(rows, axis: 0)
  }

  /// What comes after each token, from the last layer's output: `[total, vocabulary]`.
  package func logits(_ x: Tensor<Float>) throws(AttentionError) -> Tensor<Float> { try head(norm(x)) }

  /// The logits after each token of a step: `[total, vocabulary]`. Writes keys and values of all layers; committing is left to the caller.
  ///
  /// - Parameter tokens: those that the step appends, sequence after sequence.
  package func callAsFunction(
    _ tokens: [[Int]], _ step: KeyValueStep
  ) throws(AttentionError) -> Tensor<Float> {
    var x = try embedded(tokens.flatMap { $0 })
    for (index, layer) in layers.enumerated() {
      let (q, k, v) = try layer.project(x)
      try step.write(layer: index, keys: k, values: v, rotary: rotary)
      let queries = try rotary.applied(to: q, at: step.positions)
      x = try layer.output(
        x, attend(.packed(queries, lengths: tokens.map(\.count)), step.keyValues(layer: index)))
    }
    return try logits(x)
  }
}

extension Llama.Layer {
  /// Queries, keys and values of some tokens, `[total, H, D]` each.
  ///
  /// - Parameter x: `[total, width]`.
  package func project(
    _ x: Tensor<Float>
  ) throws(AttentionError) -> (queries: Tensor<Float>, keys: Tensor<Float>, values: Tensor<Float>) {
    let (q, k, v) = try attention.project(attentionNorm(x).expanded(axis: 0))
    return (q.packed, k.packed, v.packed)
  }

  /// What the layer makes of its input and of the attention's output `[total, Hq, D]`.
  package func output(_ x: Tensor<Float>, _ heads: Tensor<Float>) throws(AttentionError) -> Tensor<Float> {
    let attended = try x + attention.output(of: heads)
    return try attended + feedForward(feedForwardNorm(attended))
  }
}

extension Tensor {
  /// `[1, H, T, D]` as `[T, H, D]`; no copy.
  fileprivate var packed: Tensor { selected(axis: 0, 0).permuted(1, 0, 2) }
}

extension RotaryEmbedding {
  /// Rows `[total, H, D]` turned by the position of each.
  package func applied(
    to rows: Tensor<Float>, at positions: Tensor<Int64>
  ) throws(AttentionError) -> Tensor<Float> {
    try applied(to: rows.permuted(1, 0, 2).expanded(axis: 0), positions: .ids(positions)).packed
  }
}
