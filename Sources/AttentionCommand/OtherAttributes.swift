/// An attribute that attention operators elsewhere have and case files do not: passed over, it would leave a result that its author did
/// not ask for.
struct OtherAttribute {
  /// What changes nothing: numbers, or words.
  let neutral: [String]
  /// The attribute of case files that says the same, where one does.
  let instead: String?

  /// Whether the attribute changes nothing with this text.
  func isNeutral(_ text: String) -> Bool {
    neutral.contains { $0 == text || strictNumber($0).map { $0 == strictNumber(text) } ?? false }
  }

  /// The attribute of this name, where operators that are known here have it.
  static func named(_ name: String) -> OtherAttribute? {
    all[name].map { OtherAttribute(neutral: $0.neutral, instead: $0.instead) }
  }

  // ONNX Runtime's (com.microsoft) Attention, MultiHeadAttention, GroupQueryAttention, PagedAttention, DecoderMaskedMultiHeadAttention,
  // DecoderMaskedSelfAttention, PackedAttention, SparseAttention, LongformerAttention and RotaryEmbedding, with those of their inputs that
  // are single numbers; then the arguments of FlashAttention, vLLM and PyTorch. What they share with an operator here is read as that
  // operator's.
  private static let all: [String: (neutral: [String], instead: String?)] = [
    "unidirectional": (["0"], "is_causal"),
    "local_window_size": (["-1"], "left_window_size"),
    "do_rotary": (["0"], nil),
    "rotary_interleaved": (["0"], nil),
    "smooth_softmax": (["0", "-1"], "a tensor sinks of zeros"),
    // Keys that a mask hides take no weight at all here.
    "mask_filter_value": (["-inf"], "attn_mask"),
    // A past of the length that memory was reserved for, not of the keys that it holds.
    "past_present_share_buffer": (["0"], nil),
    "qkv_hidden_sizes": ([], nil),
    "qk_output": (["0"], "qk_matmul_output_mode"),
    "output_qk": (["0"], "qk_matmul_output_mode"),
    "k_quant_type": (["NONE"], nil),
    "v_quant_type": (["NONE"], nil),
    "kv_cache_bit_width": (["0"], nil),
    "k_cache_dtype": ([""], nil),
    "v_cache_dtype": ([""], nil),
    "kv_cache_layout": (["SEPARATE"], nil),
    "v_head_size": (["0"], nil),
    "rotary_offset": (["0"], nil),
    "sparse_block_size": ([], nil),
    "window": ([], "left_window_size and right_window_size"),
    "is_packed_batching": (["0"], nil),
    "interleaved": (["0"], nil),
    "rotary_embedding_dim": (["0"], nil),
    "scale": (["1"], nil),
    "past_sequence_length": (["0"], "past_key"),
    "total_sequence_length": ([], "nonpad_kv_seqlen"),
    "seqlens_k": ([], "nonpad_kv_seqlen"),
    "beam_width": (["1"], nil),

    "causal": (["0"], "is_causal"),
    "window_size": (["-1"], "left_window_size and right_window_size"),
    "sliding_window": (["-1"], "left_window_size"),
    "softmax_scale": ([], "scale"),
    "sm_scale": ([], "scale"),
    "logits_soft_cap": (["0"], "softcap"),
    "logit_softcap": (["0"], "softcap"),
    "attn_logit_softcapping": (["0"], "softcap"),
    "alibi_slopes": ([], "a tensor alibi_slopes"),
    "dropout_p": (["0"], nil),
    "dropout": (["0"], nil),
  ]
}
