import Attention

extension Decoder {
  /// The same model where each token sees the first `kept` tokens and `window` others, its own included. Shares all weights.
  ///
  /// Layers with a window of their own keep that, where it is the smaller one; they do not see the first tokens then.
  func windowed(_ window: Int, keepingFirst kept: Int) -> Decoder {
    Decoder(
      self,
      layers: layers.map { layer in
        let attention = layer.attention
        var attend = attention.attend
        attend.mask = attend.mask & .window(left: window - 1, keepingFirst: kept)
        return DecoderLayer(
          attentionNorm: layer.attentionNorm,
          attention: DecoderAttention(
            projection: attention.projection, output: attention.output, queryHeads: attention.queryHeads,
            keyValueHeads: attention.keyValueHeads, depth: attention.depth, queryNorm: attention.queryNorm,
            keyNorm: attention.keyNorm, rotary: attention.rotary, attend: attend),
          postAttentionNorm: layer.postAttentionNorm, feedForwardNorm: layer.feedForwardNorm,
          feedForward: layer.feedForward, postFeedForwardNorm: layer.postFeedForwardNorm)
      })
  }

  private init(_ other: Decoder, layers: [DecoderLayer]) {
    configuration = other.configuration
    weightType = other.weightType
    context = other.context
    embedding = other.embedding
    norm = other.norm
    ownHead = other.ownHead
    workers = other.workers
    self.layers = layers
  }
}
