/// What a kind of file calls the tensors of a decoder, without `.weight` and `.bias`.
struct DecoderNames: Sendable {
  let embedding, finalNorm, head: String
  /// Of one layer: the names follow its prefix.
  let layer: @Sendable (Int) -> String
  let attentionNorm, queries, keys, values, output, queryNorm, keyNorm: String
  let postAttentionNorm, feedForwardNorm, gate, up, down, postFeedForwardNorm: String

  static let gguf = DecoderNames(
    embedding: "token_embd", finalNorm: "output_norm", head: "output", layer: { "blk.\($0)." },
    attentionNorm: "attn_norm", queries: "attn_q", keys: "attn_k", values: "attn_v", output: "attn_output",
    queryNorm: "attn_q_norm", keyNorm: "attn_k_norm", postAttentionNorm: "post_attention_norm",
    feedForwardNorm: "ffn_norm", gate: "ffn_gate", up: "ffn_up", down: "ffn_down",
    postFeedForwardNorm: "post_ffw_norm")

  /// - Parameter normalisesResults: Gemma's `post_attention_layernorm` normalises what attention adds; that of others is the
  ///   feed-forward layer's norm.
  static func huggingFace(normalisesResults: Bool) -> DecoderNames {
    DecoderNames(
      embedding: "model.embed_tokens", finalNorm: "model.norm", head: "lm_head",
      layer: { "model.layers.\($0)." }, attentionNorm: "input_layernorm", queries: "self_attn.q_proj",
      keys: "self_attn.k_proj", values: "self_attn.v_proj", output: "self_attn.o_proj",
      queryNorm: "self_attn.q_norm", keyNorm: "self_attn.k_norm",
      postAttentionNorm: "post_attention_layernorm",
      feedForwardNorm: normalisesResults ? "pre_feedforward_layernorm" : "post_attention_layernorm",
      gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
      postFeedForwardNorm: "post_feedforward_layernorm")
  }
}

extension DecoderConfiguration {
  /// Whether what attention and feed-forward add is normalised first.
  var normalisesResults: Bool {
    switch family {
    case .llama, .qwen2, .qwen3: false
    case .gemma2, .gemma3: true
    }
  }

  /// Whether queries and keys of each head are normalised.
  var normalisesHeads: Bool {
    switch family {
    case .llama, .qwen2, .gemma2: false
    case .qwen3, .gemma3: true
    }
  }
}
