extension KeyValueStep {
  /// Writes one layer's keys and values of the appended tokens into their pages, rotated and converted on the way.
  ///
  /// - Parameters:
  ///   - layer: 0 ..< the pool's layers, in any order; a second write of a layer takes the place of the first.
  ///   - keys: `[total, Hkv, D]` in any strides, the tokens of one sequence after those of the other.
  ///   - values: `[total, Hkv, Dv]` in any strides.
  ///   - rotary: turns each key by its absolute position in its sequence; nil for none.
  ///   - workers: the threads that work on it; few rows stay on the calling thread.
  /// - Throws: ``AttentionError`` where the layer is out of range, a shape or the embedding does not fit, positions lie beyond the
  ///   embedding's tables, the step is committed or cancelled, or a row that goes to integers holds NaN or an infinity. The layer counts
  ///   as not written after the last of these; the step stays open.
  ///
  /// Keys are brought to Float, turned in Float and rounded once to what the pool stores; keys of the stored type are turned as
  /// ``RotaryEmbedding`` turns tensors of it, which gives the same bits. No allocation but a few small ones a call.
  public func write(
    layer: Int, keys: Tensor<some AttentionElement>, values: Tensor<some AttentionElement>,
    rotary: RotaryEmbedding? = nil, on workers: WorkerPool = .shared
  ) throws(AttentionError) {
    try write(layer: layer) { (view) throws(AttentionError) in
      try check("keys", keys.shape, columns: pool.depth, "D")
      try check("values", values.shape, columns: pool.width, "Dv")
      if let rotary { try check(rotary, view) }
      if totalRows == 0 { return }
      let refusal = RowWriter.run(
        RowWriter(keys, to: view.keys(layer: layer), rotary),
        RowWriter(values, to: view.values(layer: layer), nil), starts, view, on: workers)
      withExtendedLifetime((keys, values, rotary)) {}
      if let refusal {
        spoil(layer: layer)
        throw AttentionError(
          refusal.isOfKeys ? "keys" : "values",
          "NaN or infinity in token \(refusal.token) given, expected finite numbers for \(refusal.isOfKeys ? pool.keyType : pool.valueType)"
        )
      }
    }
  }

  private func check(
    _ argument: String, _ shape: Shape, columns: Int, _ letter: String
  ) throws(AttentionError) {
    guard shape == [totalRows, pool.heads, columns] else {
      throw AttentionError(
        argument,
        "shape \(shape) given, expected [total, Hkv, \(letter)] = [\(totalRows), \(pool.heads), \(columns)]")
    }
  }

  private func check(_ rotary: RotaryEmbedding, _ view: CacheView) throws(AttentionError) {
    guard rotary.tokenShape == nil else {
      throw AttentionError("rotary", "tables of a row for each token given, expected a row for each position")
    }
    guard rotary.headDimension ?? pool.depth == pool.depth, rotary.rotaryDimension <= pool.depth else {
      throw AttentionError(
        "rotary",
        "an embedding of \(rotary.headDimension ?? rotary.rotaryDimension) columns given, expected the keys' \(pool.depth)"
      )
    }
    for sequence in sequences.indices where view.sequences[sequence].positionCount > rotary.positionCount {
      throw AttentionError(
        "rotary",
        "\(rotary.positionCount) positions given, expected the \(view.sequences[sequence].positionCount) of sequence \(sequence)"
      )
    }
  }
}
