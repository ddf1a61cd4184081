import Attention

/// The keys and values of one layer, for all tokens so far.
///
/// Two tensors that grow: appending a token writes its rows behind those that are there, and copies none of them, even while
/// the ``keyValues`` of an earlier step are still in use.
struct LayerCache {
  /// `[1, Hkv, T, D]`, turned by the rotary embedding.
  private(set) var keys: GrowableTensor<Float>
  /// `[1, Hkv, T, D]`
  private(set) var values: GrowableTensor<Float>

  /// An empty cache with room for `capacity` tokens; it moves when more come.
  init(heads: Int, width: Int, capacity: Int) {
    keys = GrowableTensor(emptyShape: [1, heads, 0, width], growing: 2, capacity: capacity)
    values = GrowableTensor(emptyShape: [1, heads, 0, width], growing: 2, capacity: capacity)
  }

  /// The tokens so far.
  var count: Int { keys.count }

  /// What attention reads: a view, no copy.
  var keyValues: KeyValues { KeyValues(keys: keys.tensor, values: values.tensor) }

  /// Appends tokens. The rotary embedding writes the turned keys straight to their place.
  ///
  /// - Parameters:
  ///   - newKeys: `[1, Hkv, T, D]`, not turned yet.
  ///   - newValues: `[1, Hkv, T, D]`.
  mutating func append(
    keys newKeys: Tensor<Float>, values newValues: Tensor<Float>, _ rotary: RotaryEmbedding
  ) throws(AttentionError) {
    let first = count
    try keys.append(newKeys.shape[2]) { rows throws(AttentionError) in
      try rotary.apply(to: newKeys, positions: .from(first), into: rows)
    }
    try values.append(newValues)
  }
}
