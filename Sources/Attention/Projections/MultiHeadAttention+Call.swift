extension MultiHeadAttention {
  /// Attention from hidden states to hidden states: ``project(_:keys:values:)``, then
  /// ``attend(_:_:with:)``.
  ///
  ///     let y = try attention(x, with: causal)                      // self-attention
  ///     let z = try attention(x, keys: memory)                      // cross-attention
  ///
  /// Products and allocations, the result included, with nothing else that grows with the input but what attention itself
  /// needs:
  ///
  /// | weights | input | products | allocations |
  /// |---|---|---|---|
  /// | fused | one sequence | 2 | 3 |
  /// | fused | keys and values from another sequence | 3 | 4 |
  /// | separate, or three sequences | any | 4 | 5 |
  ///
  /// Nothing is copied between them: heads are views of the first products, attention writes them side by side, and the last
  /// product reads them there. Inputs are copied only where ``Projection/callAsFunction(_:)`` says so.
  ///
  /// Edges: a query that sees no key yields the output's bias. What is in a hidden token reaches no other token's output.
  /// The same input gives the same bits on any number of threads; a sequence in a larger batch may differ in its last
  /// bits, see ``Projection/callAsFunction(_:)``.
  ///
  /// - Parameters:
  ///   - queries: `[B, Tq, queryWidth]`, any strides.
  ///   - keys: `[B, Tk, keyWidth]`, what keys are made of; `queries` when nil.
  ///   - values: `[B, Tk, valueWidth]`, what values are made of; the same as keys when nil.
  ///   - attention: scale, mask, options and threads; the products use the library's own threads, as all of `LinearAlgebra` does.
  /// - Returns: `[B, Tq, outputWidth]`, row-major.
  /// - Throws: ``AttentionError`` where shapes, mask, scale or options do not fit.
  public func callAsFunction(
    _ queries: Tensor<Element>, keys: Tensor<Element>? = nil, values: Tensor<Element>? = nil,
    with attention: ScaledDotProductAttention = ScaledDotProductAttention()
  ) throws(AttentionError) -> Tensor<Element> {
    let heads = try project(queries, keys: keys, values: values)
    return try attend(heads.queries, KeyValues(keys: heads.keys, values: heads.values), with: attention)
  }

  /// The heads of queries, keys and values, where positions are turned into them or a cache is fed.
  ///
  /// With a fused weight, what comes from the same sequence comes from one product: one in self-attention, two where keys and
  /// values share another sequence. Tensors that are the same view of the same memory count as the same sequence.
  /// Otherwise each is a product of its own.
  ///
  ///     var (q, k, v) = try attention.project(x)
  ///     try rotary.apply(to: &q, positions: positions)
  ///     try rotary.apply(to: &k, positions: positions)
  ///     let y = try attention.attend(q, KeyValues(keys: k, values: v), with: causal)
  ///
  /// - Parameters:
  ///   - queries: `[B, Tq, queryWidth]`, any strides.
  ///   - keys: `[B, Tk, keyWidth]`; `queries` when nil.
  ///   - values: `[B, Tk, valueWidth]`; the same as keys when nil.
  /// - Returns: `queries [B, Hq, Tq, D]`, `keys [B, Hkv, Tk, D]`, `values [B, Hkv, Tk, Dv]`: strided views of the products'
  ///   results, in which the heads of a token lie side by side. Where they come from one product they share its memory, which
  ///   lives as long as one of them: a cache copies what it keeps. One allocation a product, no copy.
  /// - Throws: ``AttentionError`` where shapes do not fit the weights or each other.
  public func project(
    _ queries: Tensor<Element>, keys: Tensor<Element>? = nil, values: Tensor<Element>? = nil
  ) throws(AttentionError) -> (queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>) {
    let keys = keys ?? queries
    let values = values ?? keys
    try check(queries: queries, keys: keys, values: values)
    let (D, Dv, Hq, Hkv) = (headDimension, valueDimension, queryHeads, keyValueHeads)
    if let fusedProjection, isSameView(keys, values) {
      let isSelf = isSameView(queries, keys)
      let start = isSelf ? 0 : Hq * D
      let shared = try fusedProjection.columns(start..<fusedProjection.outputWidth).applied(
        to: keys, named: isSelf ? "queries" : "keys")
      /// Columns of the fused weight's result, as heads.
      func heads(
        _ argument: String, _ count: Int, from first: Int, width: Int
      ) throws(AttentionError) -> Tensor<Element> {
        try split(shared.sliced(axis: 2, first - start..<first - start + count * width), count, argument)
      }
      return (
        isSelf
          ? try heads("queries", Hq, from: 0, width: D)
          : try split(queryProjection.applied(to: queries, named: "queries"), Hq, "queries"),
        try heads("keys", Hkv, from: Hq * D, width: D),
        try heads("values", Hkv, from: (Hq + Hkv) * D, width: Dv)
      )
    }
    return (
      try split(queryProjection.applied(to: queries, named: "queries"), Hq, "queries"),
      try split(keyProjection.applied(to: keys, named: "keys"), Hkv, "keys"),
      try split(valueProjection.applied(to: values, named: "values"), Hkv, "values")
    )
  }

  /// Attention of heads, and the output projection of what it yields.
  ///
  /// Two allocations: attention writes the heads of a token side by side, so that the output projection reads them without
  /// a copy, and the result.
  ///
  /// - Parameters:
  ///   - queries: `[B, Hq, Tq, D]` in any strides, or padded or packed ``Queries`` (`[total, Hq, D]`).
  ///   - keyValues: the projected ones, or a cache's, from any source.
  ///   - attention: scale, mask, options and threads.
  /// - Returns: `[B, Tq, outputWidth]`, or `[total, outputWidth]` for packed queries, row-major.
  /// - Throws: ``AttentionError`` where heads are not as many or as wide as the weights make them, or shapes, mask, scale or
  ///   options do not fit.
  public func attend<Q: AttentionQueries<Element>>(
    _ queries: Q, _ keyValues: KeyValues,
    with attention: ScaledDotProductAttention = ScaledDotProductAttention()
  ) throws(AttentionError) -> Tensor<Element> {
    let tensor = queries.queries.rows.tensor
    let isPacked = tensor.rank == 3
    guard isPacked || tensor.rank == 4, tensor.shape[1] == queryHeads, tensor.shape.last == headDimension
    else {
      throw AttentionError(
        "queries",
        "shape \(tensor.shape) given, expected [B, \(queryHeads), Tq, \(headDimension)] or [total, \(queryHeads), \(headDimension)]"
      )
    }
    try check(keyValues)
    var heads = try emptyHeads(for: tensor)
    try heads.withMutableView { (view) throws(AttentionError) in
      try attention.write(queries, keyValues, to: view)
    }
    return try output(of: heads)
  }

  /// The output projection of attention's heads.
  ///
  ///     output[b, t] = concat(heads[b, 0, t] … heads[b, Hq−1, t]) · Wo + bo
  ///
  /// One allocation, the result; one copy more where the heads of a token do not lie side by side, as in what
  /// ``scaledDotProductAttention(queries:keys:values:scale:mask:options:)`` returns on its own. ``attend(_:_:with:)`` spares that.
  /// - Parameter heads: `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` of packed sequences, any strides.
  /// - Returns: `[B, Tq, outputWidth]`, or `[total, outputWidth]`, row-major.
  /// - Throws: ``AttentionError`` where the shape does not fit.
  public func output(of heads: Tensor<Element>) throws(AttentionError) -> Tensor<Element> {
    let isPacked = heads.rank == 3
    guard isPacked || heads.rank == 4, heads.shape[1] == queryHeads, heads.shape.last == valueDimension else {
      throw AttentionError(
        "heads",
        "shape \(heads.shape) given, expected [B, \(queryHeads), Tq, \(valueDimension)] or [total, \(queryHeads), \(valueDimension)]"
      )
    }
    let batch = isPacked ? heads.expanded(axis: 0).permuted(0, 2, 1, 3) : heads
    let result = try outputProjection.applied(to: batch.mergeHeads(), named: "heads")
    return isPacked ? result.selected(axis: 0, 0) : result
  }
}

extension MultiHeadAttention {
  /// Checks the three inputs against the weights and against each other, before anything is computed.
  private func check(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>
  ) throws(AttentionError) {
    let inputs = [
      ("queries", queries, queryProjection), ("keys", keys, keyProjection),
      ("values", values, valueProjection),
    ]
    for (name, input, projection) in inputs {
      guard input.rank == 3, input.shape[2] == projection.inputWidth else {
        throw AttentionError(
          name,
          "shape \(input.shape) given, expected [B, T, \(projection.inputWidth)] to match a weight \(projection.weight.shape)"
        )
      }
    }
    guard keys.shape[0] == queries.shape[0] else {
      throw AttentionError(
        "keys",
        "shape \(keys.shape) given, expected the batch size \(queries.shape[0]) of queries \(queries.shape)")
    }
    guard values.shape[0] == keys.shape[0], values.shape[1] == keys.shape[1] else {
      throw AttentionError(
        "values",
        "shape \(values.shape) given, expected [\(keys.shape[0]), \(keys.shape[1]), \(values.shape[2])] to match keys \(keys.shape)"
      )
    }
  }

  /// Throws unless keys and values have as many heads, as wide, as the weights make them.
  private func check(_ keyValues: KeyValues) throws(AttentionError) {
    let sources = try keyValues.sources()
    guard sources.sizes.heads == keyValueHeads, sources.sizes.depth == headDimension else {
      throw sources.given.keys.refused("\(keyValueHeads) heads of width \(headDimension)")
    }
    if let refusal = sources.valuesRefusal { throw refusal }
    guard sources.sizes.width == valueDimension else {
      throw sources.given.values.refused("\(keyValueHeads) heads of width \(valueDimension)")
    }
  }

  /// Columns of a product as heads.
  private func split(
    _ projected: Tensor<Element>, _ heads: Int, _ argument: String
  ) throws(AttentionError) -> Tensor<Element> {
    do {
      return try projected.splitHeads(heads)
    } catch {
      throw AttentionError(error.kind, argument, error.description)
    }
  }

  /// Memory `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` of packed sequences, not initialised, in which the heads of a token lie side by side: merging them is a view.
  ///
  /// In one expression, so that nothing else refers to the memory: attention then writes into it and not into a copy.
  package func emptyHeads(for queries: AnyTensor) throws(AttentionError) -> Tensor<Element> {
    let shape = queries.shape
    if shape.count == 3 {
      return try allocated([shape[0], queryHeads, valueDimension], for: "queries", shape)
    }
    return try allocated([shape[0], shape[2], queryHeads, valueDimension], for: "queries", shape)
      .permuted(0, 2, 1, 3)
  }

  /// Whether two tensors are the same elements of the same memory.
  private func isSameView(_ left: Tensor<Element>, _ right: Tensor<Element>) -> Bool {
    left.unsafeBase == right.unsafeBase && left.shape == right.shape && left.strides == right.strides
  }
}
