import Attention
import BenchmarkKit
import Parallelism

// The problem as the library takes it.

extension BenchInputs {
  /// The shape's mask.
  var mask: AttentionMask {
    var mask = shape.mask == .causal ? AttentionMask.causal : .none
    if let left = shape.leftWindowSize { mask = mask & .window(left: left) }
    if let alibiSlopes { mask = mask & .alibi(slopes: alibiSlopes) }
    // Packed sequences are as long as they are.
    if packing == nil {
      if let lengths = shape.keyLengths { mask = mask & .keyLengths(lengths) }
      if let lengths = shape.queryLengths { mask = mask & .queryLengths(lengths) }
    }
    return mask
  }

  /// The shape's softcap and sinks.
  var options: AttentionOptions { AttentionOptions(softcap: shape.softcap, sinks: sinks) }

  /// How the library would compute it.
  func plan(on pool: WorkerPool) throws -> AttentionPlan {
    if let packing {
      return try AttentionPlan(
        packedQueries: queries, keys: keys, values: values, sequences: packing, mask: mask, options: options,
        on: pool)
    }
    return try AttentionPlan(
      queries: queries, keys: keys, values: values, mask: mask, options: options, on: pool)
  }

  /// A tensor for the output, of NaN, so that what a kernel forgets to write is seen.
  func unwrittenOutput() -> Tensor<E> {
    let (heads, width) = (shape.queryHeads, shape.valueDim)
    return Tensor(
      repeating: E(nearest: .nan),
      shape: packing == nil
        ? [shape.batch, heads, shape.queries, width] : [shape.storedQueries, heads, width])
  }

  /// One call of a kernel that is forced, into a tensor that exists.
  ///
  /// - Throws: ``AttentionError`` about `kernel` where that cannot compute this problem.
  func attend(
    into output: inout Tensor<E>, _ mask: AttentionMask, with kernel: AttentionPlan.Kernel,
    on pool: WorkerPool
  ) throws {
    try forcedAttention(
      kernel, queries: queries, keys: keys, values: values, packing: packing, mask: mask, options: options,
      on: pool, into: &output)
  }

  /// One call, into a tensor that exists.
  func attend(into output: inout Tensor<E>, _ mask: AttentionMask, on pool: WorkerPool) throws {
    guard let packing else {
      return try scaledDotProductAttention(
        queries: queries, keys: keys, values: values, mask: mask, options: options, on: pool, into: &output)
    }
    try output.withMutableView { view throws(AttentionError) in
      try packedScaledDotProductAttention(
        queries: queries, keys: keys, values: values, sequences: packing, mask: mask, options: options,
        on: pool, into: view)
    }
  }
}
