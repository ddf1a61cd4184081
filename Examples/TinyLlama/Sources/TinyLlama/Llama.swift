import Attention

/// A Llama: tokens in, logits of the next token out.
struct Llama {
  let configuration: Configuration
  /// `[vocabulary, width]`
  let embedding: Tensor<Float>
  let layers: [Layer]
  let norm: RMSNorm
  /// From a token to its logits; the embedding's weights once more.
  let head: Projection<Float>
  let rotary: RotaryEmbedding

  /// One value for all layers: what attention is in this model.
  let attend = ScaledDotProductAttention(mask: .causal)

  struct Layer {
    let attentionNorm: RMSNorm
    let attention: MultiHeadAttention<Float>
    let feedForwardNorm: RMSNorm
    let feedForward: FeedForward
  }

  /// An empty cache for each layer.
  func makeCaches(capacity: Int = 256) -> [LayerCache] {
    layers.map { _ in
      LayerCache(
        heads: configuration.numKeyValueHeads, width: configuration.headDim, capacity: capacity)
    }
  }

  /// The logits of the token after each of `tokens`: `[1, T, vocabulary]`.
  ///
  /// - Parameters:
  ///   - tokens: what follows the tokens in the caches.
  ///   - caches: one for each layer; `tokens` are appended to them.
  func callAsFunction(_ tokens: [Int], _ caches: inout [LayerCache]) throws(AttentionError) -> Tensor<Float> {
    var x = try embedded(tokens)
    // Attention writes the heads of a token side by side: the output projection reads them there.
    var heads = Tensor<Float>
      .zeros([1, tokens.count, configuration.numAttentionHeads, configuration.headDim])
      .permuted(0, 2, 1, 3)
    // All layers have the same sizes in a step, so that the first one's plan serves them all.
    var plan: AttentionPlan?
    for (index, layer) in layers.enumerated() {
      let (q, k, v) = try layer.attention.project(layer.attentionNorm(x))
      let queries = try rotary.applied(to: q, positions: .from(caches[index].count))
      try caches[index].append(keys: k, values: v, rotary)
      let keyValues = caches[index].keyValues
      let stepPlan = if let plan { plan } else { try attend.plan(queries, keyValues) }
      try heads.withMutableView { view throws(AttentionError) in
        try stepPlan.run(queries, keyValues, to: view)
      }
      plan = stepPlan
      x = try x + layer.attention.output(of: heads)
      x = try x + layer.feedForward(layer.feedForwardNorm(x))
    }
    return try head(norm(x))
  }

  /// The rows of the embedding: `[1, T, width]`.
  private func embedded(_ tokens: [Int]) throws(AttentionError) -> Tensor<Float> {
    var rows: [Tensor<Float>] = []
    for token in tokens {
      guard token >= 0, token < embedding.shape[0] else {
        throw AttentionError("tokens", "\(token) given, expected one in 0..<\(embedding.shape[0])")
      }
      rows.append(embedding.sliced(axis: 0, token..<token + 1))
    }
    return try Tensor.concatenate(rows, axis: 0).expanded(axis: 0)
  }
}
