// Temporary: replaced at merge.

/// What is done to scores beside the mask.
public struct AttentionOptions: Sendable {
  /// Scores become `softcap · tanh(score / softcap)`; nil for none.
  public var softcap: Double?

  /// Options.
  public init(softcap: Double? = nil) { self.softcap = softcap }
}

/// Temporary: naive where there is a softcap, without masks then.
func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, options: AttentionOptions, on pool: WorkerPool = .shared,
  into output: inout Tensor<Element>
) throws(AttentionError) {
  try scaledDotProductAttention(
    queries: queries, keys: keys, values: values, scale: scale, mask: mask, on: pool, into: &output)
  guard let softcap = options.softcap else { return }
  let scale = scale ?? 1 / Double(queries.shape[3]).squareRoot()
  let group = queries.shape[1] / keys.shape[1]
  for b in 0..<queries.shape[0] {
    for h in 0..<queries.shape[1] {
      for i in 0..<queries.shape[2] {
        let scores = (0..<keys.shape[2]).map { j in
          let dot = (0..<queries.shape[3]).reduce(0.0) {
            $0 + queries[b, h, i, $1].doubleValue * keys[b, h / group, j, $1].doubleValue
          }
          return Tensor<Double>(repeating: scale * dot / softcap, shape: [1]).tanh()[0] * softcap
        }
        let weights = Tensor<Double>(unsafeUninitializedShape: [scores.count]) {
          _ = $0.initialize(fromContentsOf: scores)
        }.exp().elements
        let sum = weights.reduce(0, +)
        for d in 0..<values.shape[3] {
          output[b, h, i, d] = Element(
            nearest: weights.indices.reduce(0.0) {
              $0 + weights[$1] * values[b, h / group, $1, d].doubleValue
            } / sum)
        }
      }
    }
  }
}
