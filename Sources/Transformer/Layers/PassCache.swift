import Attention

/// Where the keys and values of a pass go, and what its queries attend over.
protocol PassCache {
  /// Takes in one layer's keys and values of the pass's rows, and gives the attention of its queries.
  ///
  /// - Parameters:
  ///   - queries: `[rows, Hq, D]`, turned by their positions.
  ///   - keys: `[rows, Hkv, D]`, not turned.
  ///   - values: `[rows, Hkv, D]`
  ///   - layer: 0 ..< the model's layers.
  ///   - attention: the layer's.
  /// - Returns: `[rows, Hq, D]`, row-major.
  func attention<Element: AttentionElement>(
    of queries: Tensor<Element>, keys: Tensor<Float>, values: Tensor<Float>, layer: Int,
    _ attention: DecoderAttention
  ) throws(AttentionError) -> Tensor<Element>
}

/// A step of sequences that are all in this process.
struct StepCache: PassCache {
  let step: KeyValueStep
  /// Tokens of each sequence.
  let lengths: [Int]

  func attention<Element: AttentionElement>(
    of queries: Tensor<Element>, keys: Tensor<Float>, values: Tensor<Float>, layer: Int,
    _ attention: DecoderAttention
  ) throws(AttentionError) -> Tensor<Element> {
    let attend = attention.attend
    try step.write(layer: layer, keys: keys, values: values, rotary: attention.rotary, on: attend.pool)
    let keyValues = try step.keyValues(layer: layer)
    let group = attention.queryHeads / attention.keyValueHeads
    let rows = (lengths.max() ?? 0) * group
    guard let bound = attention.bound, rows <= max(group, Self.mostBoundedRows) else {
      return try attend(.packed(queries, lengths: lengths), keyValues)
    }
    let result = try attend.within(bound.tolerance, .packed(queries, lengths: lengths), keyValues)
    bound.add(result.lowByteReads)
    return result.output
  }

  /// Rows of a group under a bound: as many as a part of the keys is read for at once. More are limited by arithmetic, and reading both
  /// planes costs them nothing.
  private static let mostBoundedRows = 32
}
