extension MultiHeadAttention {
  /// Attention with the weights of PyTorch's `nn.MultiheadAttention`, by their names in its `state_dict()`.
  ///
  /// | name | shape | |
  /// |---|---|---|
  /// | `in_proj_weight` | `[3·E, E]` | queries, keys and values fused; or the three: |
  /// | `q_proj_weight`, `k_proj_weight`, `v_proj_weight` | `[E, E]`, `[E, kdim]`, `[E, vdim]` | |
  /// | `in_proj_bias` | `[3·E]` | may be missing |
  /// | `out_proj.weight` | `[E, E]` | |
  /// | `out_proj.bias` | `[E]` | may be missing |
  ///
  /// PyTorch's weights are the transposes of those in `H·W`. They are used where they lie, a mapped file for instance: no copy.
  ///
  /// PyTorch differs in two things: its masks are true where a key is *hidden*, and a query that sees no key yields NaN there
  /// and the output's bias here. Its inputs are `[T, B, E]` unless `batch_first` is set: pass `x.permuted(1, 0, 2)`, one copy.
  /// - Parameters:
  ///   - state: the tensors; names that are not in the table, or do not start with `prefix`, are left alone.
  ///   - prefix: what stands before the names, `encoder.layers.0.self_attn.` for instance.
  ///   - heads: the module's `num_heads`.
  /// - Throws: ``AttentionError`` that names the tensor where one is missing or does not fit, and where there is `bias_k` or
  ///   `bias_v`: a key and value appended to every sequence, which is not supported.
  public init(
    pyTorch state: [String: Tensor<Element>], prefix: String = "", heads: Int
  ) throws(AttentionError) {
    for name in ["bias_k", "bias_v"] where state[prefix + name] != nil {
      throw AttentionError(prefix + name, "given, expected a module without add_bias_kv")
    }
    func weight(_ name: String) throws(AttentionError) -> Tensor<Element> {
      guard let tensor = state[prefix + name] else {
        throw AttentionError(prefix + name, "no such tensor given")
      }
      return tensor
    }
    let output = try Projection(
      transposed: weight("out_proj.weight"), bias: state[prefix + "out_proj.bias"],
      names: (prefix + "out_proj.weight", prefix + "out_proj.bias"))
    let bias = state[prefix + "in_proj_bias"]
    let width = output.inputWidth
    let (threefold, overflow) = width.multipliedReportingOverflow(by: 3)
    if let bias, overflow || bias.shape != [threefold] {
      throw AttentionError(
        prefix + "in_proj_bias",
        "shape \(bias.shape) given, expected 3 times the \(width) columns of \(prefix)out_proj.weight")
    }
    if let fused = state[prefix + "in_proj_weight"] {
      guard fused.rank == 2, !overflow, fused.shape[0] == threefold else {
        throw AttentionError(
          prefix + "in_proj_weight",
          "shape \(fused.shape) given, expected rows 3 times the \(width) columns of \(prefix)out_proj.weight"
        )
      }
      try self.init(
        queryHeads: heads,
        fused: Projection(
          transposed: fused, bias: bias, names: (prefix + "in_proj_weight", prefix + "in_proj_bias")),
        output: output)
    } else {
      guard state[prefix + "q_proj_weight"] != nil else {
        throw AttentionError(prefix + "in_proj_weight", "neither it nor \(prefix)q_proj_weight given")
      }
      func part(_ name: String, _ index: Int) throws(AttentionError) -> Projection<Element> {
        try Projection(
          transposed: weight(name), bias: bias?.sliced(axis: 0, index * width..<(index + 1) * width),
          names: (prefix + name, prefix + "in_proj_bias"))
      }
      try self.init(
        queryHeads: heads, queries: part("q_proj_weight", 0), keys: part("k_proj_weight", 1),
        values: part("v_proj_weight", 2), output: output)
    }
  }
}
