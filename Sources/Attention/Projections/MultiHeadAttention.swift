import LinearAlgebra

/// Multi-head attention with its weights: hidden states in, hidden states out.
///
///     Q = H·Wq + bq    K = M·Wk + bk    V = N·Wv + bv        H = M = N in self-attention
///     y[h] = softmax(scale · Q[h]·K[g]ᵀ) · V[g]               g = h / (Hq / Hkv), see ``scaledDotProductAttention``
///     Y = concat(y[0] … y[Hq−1])·Wo + bo
///
/// A small value that holds weights and does nothing else: no state, no dropout. Heads lie side by side in the columns of
/// the weights: those of query head `h` are `h·D ..< (h+1)·D`. Heads may be grouped (`Hkv < Hq`), keys and values may come
/// from another sequence and have other widths, a key's width `D` need not be a value's width `Dv`, and each bias may be missing.
///
///     let attention = try MultiHeadAttention(
///       queryHeads: 12, fused: Projection(weight: w, bias: b), output: Projection(weight: wo))
///     let causal = ScaledDotProductAttention(mask: .causal)
///     let y = try attention(hiddenStates, with: causal)                // [B, T, E] → [B, T, E]
///
/// For Float and Double, the types that BLAS multiplies. Half-precision weights are converted first:
/// `w.converted(to: Float.self)`.
/// - SeeAlso: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2; Ainslie et al. 2023, "GQA", for grouped heads.
public struct MultiHeadAttention<Element: AttentionElement & BLASScalar>: Sendable {
  /// `Hq`, the number of query heads.
  public let queryHeads: Int

  /// `Hkv`, the number of key/value heads; divides ``queryHeads``.
  public let keyValueHeads: Int

  /// `D`, the width of a query's and of a key's head.
  public let headDimension: Int

  /// `Dv`, the width of a value's head.
  public let valueDimension: Int

  /// `[queryWidth, Hq·D]`
  public let queryProjection: Projection<Element>

  /// `[keyWidth, Hkv·D]`
  public let keyProjection: Projection<Element>

  /// `[valueWidth, Hkv·Dv]`
  public let valueProjection: Projection<Element>

  /// `[Hq·Dv, outputWidth]`
  public let outputProjection: Projection<Element>

  /// `[width, Hq·D + Hkv·D + Hkv·Dv]`: the three projections side by side, which are then views of this one; nil where they
  /// are separate weights.
  public let fusedProjection: Projection<Element>?

  /// Attention with a weight for each of queries, keys and values.
  ///
  /// Copies nothing.
  /// - Parameters:
  ///   - queryHeads: `Hq`, at least 1.
  ///   - keyValueHeads: `Hkv`, dividing `Hq`; as many as query heads when nil.
  ///   - queries: `[queryWidth, Hq·D]`.
  ///   - keys: `[keyWidth, Hkv·D]`.
  ///   - values: `[valueWidth, Hkv·Dv]`.
  ///   - output: `[Hq·Dv, outputWidth]`.
  /// - Throws: ``AttentionError`` where the widths do not fit the heads or each other.
  public init(
    queryHeads: Int, keyValueHeads: Int? = nil, queries: Projection<Element>, keys: Projection<Element>,
    values: Projection<Element>, output: Projection<Element>
  ) throws(AttentionError) {
    let keyValueHeads = keyValueHeads ?? queryHeads
    try checkHeads(queryHeads, keyValueHeads)
    let D = try width(of: queryHeads, sharing: queries.outputWidth, queries.weight.shape, "queries")
    let Dv = try width(of: keyValueHeads, sharing: values.outputWidth, values.weight.shape, "values")
    guard keys.outputWidth == keyValueHeads * D else {
      throw AttentionError(
        "keys",
        "a weight \(keys.weight.shape) given, expected [keyWidth, \(keyValueHeads * D)]: \(keyValueHeads) heads as wide as those of queries \(queries.weight.shape)"
      )
    }
    guard output.inputWidth == queryHeads * Dv else {
      throw AttentionError(
        "output",
        "a weight \(output.weight.shape) given, expected [\(queryHeads * Dv), outputWidth]: \(queryHeads) heads as wide as those of values \(values.weight.shape)"
      )
    }
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.headDimension = D
    self.valueDimension = Dv
    self.queryProjection = queries
    self.keyProjection = keys
    self.valueProjection = values
    self.outputProjection = output
    self.fusedProjection = nil
  }

  /// Attention with one weight for queries, keys and values, in this order side by side: self-attention is one product.
  ///
  /// `Dv` follows from the output's weight, and `D` from what is left. Copies nothing.
  /// - Parameters:
  ///   - queryHeads: `Hq`, at least 1.
  ///   - keyValueHeads: `Hkv`, dividing `Hq`; as many as query heads when nil.
  ///   - fused: `[width, Hq·D + Hkv·D + Hkv·Dv]`.
  ///   - output: `[Hq·Dv, outputWidth]`.
  /// - Throws: ``AttentionError`` where the widths do not fit the heads or each other.
  public init(
    queryHeads: Int, keyValueHeads: Int? = nil, fused: Projection<Element>, output: Projection<Element>
  ) throws(AttentionError) {
    let keyValueHeads = keyValueHeads ?? queryHeads
    try checkHeads(queryHeads, keyValueHeads)
    let Dv = try width(of: queryHeads, sharing: output.inputWidth, output.weight.shape, "output")
    // Neither can overflow: there are at most as many heads as the output's weight has rows.
    let keysAndQueries = fused.outputWidth - keyValueHeads * Dv
    let D = keysAndQueries / (queryHeads + keyValueHeads)
    guard D >= 1, D * (queryHeads + keyValueHeads) == keysAndQueries else {
      throw AttentionError(
        "fused",
        "a weight \(fused.weight.shape) given, expected [width, \(queryHeads)·D + \(keyValueHeads)·D + \(keyValueHeads * Dv)], where values are \(Dv) wide as output \(output.weight.shape) says"
      )
    }
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.headDimension = D
    self.valueDimension = Dv
    let (keyStart, valueStart) = (queryHeads * D, (queryHeads + keyValueHeads) * D)
    self.queryProjection = fused.columns(0..<keyStart)
    self.keyProjection = fused.columns(keyStart..<valueStart)
    self.valueProjection = fused.columns(valueStart..<fused.outputWidth)
    self.outputProjection = output
    self.fusedProjection = fused
  }
}

extension MultiHeadAttention {
  /// The same attention with one weight for queries, keys and values, for models whose files keep them apart.
  ///
  /// Self-attention is then one product instead of three, which pays where rows are few: one token of a growing
  /// sequence. Where only some have a bias, the others get one of zeros.
  ///
  /// Copies the three weights once, and none where they are one already.
  /// - Throws: ``AttentionError`` where the three take rows of different widths.
  public func fused() throws(AttentionError) -> MultiHeadAttention {
    if fusedProjection != nil { return self }
    let parts = [queryProjection, keyProjection, valueProjection]
    for (name, part) in zip(["queries", "keys", "values"], parts)
    where part.inputWidth != queryProjection.inputWidth {
      throw AttentionError(
        name,
        "a weight \(part.weight.shape) given, expected \(queryProjection.inputWidth) rows as in queries \(queryProjection.weight.shape)"
      )
    }
    // Side by side in the layout that they have: what was read from a file by rows of outputs stays that way.
    let isTransposed = queryProjection.weight.strides[0] < queryProjection.weight.strides[1]
    let weight = try Tensor.concatenate(
      parts.map { isTransposed ? $0.weight.transposed() : $0.weight }, axis: isTransposed ? 0 : 1)
    var bias: Tensor<Element>?
    if parts.contains(where: { $0.bias != nil }) {
      bias = try Tensor.concatenate(parts.map { $0.bias ?? .zeros([$0.outputWidth]) }, axis: 0)
    }
    let fused =
      isTransposed
      ? try Projection(transposed: weight, bias: bias) : try Projection(weight: weight, bias: bias)
    return try MultiHeadAttention(
      queryHeads: queryHeads, keyValueHeads: keyValueHeads, fused: fused, output: outputProjection)
  }
}

private func checkHeads(_ queryHeads: Int, _ keyValueHeads: Int) throws(AttentionError) {
  guard queryHeads >= 1 else {
    throw AttentionError("queryHeads", "\(queryHeads) given, expected at least 1")
  }
  guard keyValueHeads >= 1, queryHeads % keyValueHeads == 0 else {
    throw AttentionError(
      "keyValueHeads", "\(keyValueHeads) given, expected a number that divides the \(queryHeads) query heads")
  }
}

/// The width of each of so many heads in columns (or rows) of a weight.
private func width(
  of heads: Int, sharing total: Int, _ shape: Shape, _ argument: String
) throws(AttentionError) -> Int {
  guard total >= heads, total % heads == 0 else {
    throw AttentionError(
      argument,
      "a weight \(shape) given, expected \(argument == "output" ? "rows" : "columns") for \(heads) heads of equal width"
    )
  }
  return total / heads
}
