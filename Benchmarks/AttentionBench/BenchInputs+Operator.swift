import Attention
import BenchmarkKit
import Parallelism

// The problem as the library takes it.

extension BenchInputs {
  /// The shape's rules, on some threads.
  func attention(on pool: WorkerPool) -> ScaledDotProductAttention {
    ScaledDotProductAttention(mask: mask, options: options, on: pool)
  }

  /// The shape's mask.
  private var mask: AttentionMask {
    var mask = shape.mask.kind == .causal ? AttentionMask.causal : .none
    if let left = shape.mask.leftWindowSize { mask = mask & .window(left: left) }
    if let alibiSlopes { mask = mask & .alibi(slopes: alibiSlopes) }
    return mask
  }

  /// The shape's softcap and sinks.
  private var options: AttentionOptions { AttentionOptions(softcap: shape.scores.softcap, sinks: sinks) }

  /// The queries and which rows belong to which sequence.
  var sequencedQueries: Queries<E> {
    if let packedLengths { return .packed(queries, lengths: packedLengths) }
    if let lengths = shape.storage.queryLengths { return .padded(queries, lengths: lengths) }
    return Queries(queries)
  }

  /// The keys and values and how many of each sequence are in use.
  var keyValues: KeyValues {
    if let packedLengths { return KeyValues(packedKeys: keys, values: values, lengths: packedLengths) }
    return KeyValues(keys: keys, values: values, lengths: shape.storage.keyLengths)
  }

  /// How the library would compute it.
  func plan(on pool: WorkerPool) throws -> AttentionPlan {
    try attention(on: pool).plan(sequencedQueries, keyValues)
  }

  /// A tensor for the output, of NaN, so that what a kernel forgets to write is seen.
  func unwrittenOutput() -> Tensor<E> {
    Tensor(repeating: E(nearest: .nan), shape: outputShape)
  }
}
