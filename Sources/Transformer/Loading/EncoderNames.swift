/// What a kind of file calls the tensors of an encoder, without `.weight` and `.bias`.
struct EncoderNames: Sendable {
  let words, positions, types, embeddingNorm: String
  /// Of one layer: the names follow its prefix.
  let layer: @Sendable (Int) -> String
  let queries, keys, values, output, attentionNorm, up, down, outputNorm: String

  static let gguf = EncoderNames(
    words: "token_embd", positions: "position_embd", types: "token_types", embeddingNorm: "token_embd_norm",
    layer: { "blk.\($0)." }, queries: "attn_q", keys: "attn_k", values: "attn_v", output: "attn_output",
    attentionNorm: "attn_output_norm", up: "ffn_up", down: "ffn_down", outputNorm: "layer_output_norm")

  /// - Parameter prefix: what stands before all names, `bert.` where the file holds a model with a head.
  static func huggingFace(prefix: String) -> EncoderNames {
    EncoderNames(
      words: prefix + "embeddings.word_embeddings", positions: prefix + "embeddings.position_embeddings",
      types: prefix + "embeddings.token_type_embeddings", embeddingNorm: prefix + "embeddings.LayerNorm",
      layer: { "\(prefix)encoder.layer.\($0)." }, queries: "attention.self.query", keys: "attention.self.key",
      values: "attention.self.value", output: "attention.output.dense",
      attentionNorm: "attention.output.LayerNorm", up: "intermediate.dense", down: "output.dense",
      outputNorm: "output.LayerNorm")
  }

  /// The names that a folder's tensors have.
  static func huggingFace(_ source: SafetensorsWeights) -> EncoderNames {
    let prefix = "bert."
    let prefixed = huggingFace(prefix: prefix)
    return source.shape(of: prefixed.words + ".weight") == nil ? huggingFace(prefix: "") : prefixed
  }
}
