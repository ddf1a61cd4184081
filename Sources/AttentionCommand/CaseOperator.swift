/// The operators of case files, by the names that ONNX has for them.
package enum CaseOperator: String, CaseIterable, Sendable {
  /// Scaled dot product attention.
  case attention = "Attention"
  /// Rotary position embedding.
  case rotaryEmbedding = "RotaryEmbedding"

  /// Reads the attribute `op`; a file without it is a case of `Attention`.
  ///
  /// - Throws: ``CaseError`` for an operator that is not one of these.
  package init(_ metadata: [String: String]) throws(CaseError) {
    var reader = AttributeReader(metadata)
    self = try reader.choice("op") ?? .attention
  }

  /// The names of its attributes.
  var attributeNames: [String] {
    switch self {
    case .attention:
      [
        "is_causal", "scale", "softcap", "left_window_size", "right_window_size", "causal_alignment",
        "q_num_heads", "kv_num_heads", "qk_matmul_output_mode", "softmax_precision",
      ]
    case .rotaryEmbedding: ["interleaved", "rotary_embedding_dim", "num_heads"]
    }
  }

  /// The names of its inputs.
  var tensorNames: [String] {
    switch self {
    case .attention:
      [
        "Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen", "alibi_slopes", "sinks",
        "cu_seqlens_q", "cu_seqlens_k", "block_table", "k_scale", "v_scale",
      ]
    case .rotaryEmbedding: ["input", "cos_cache", "sin_cache", "position_ids"]
    }
  }
}
