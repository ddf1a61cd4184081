import Parallelism

/// Attention as the public functions compute it, by a kernel of the caller's choice: for benchmarks and tests.
///
/// - Throws: ``AttentionError`` as the public functions do, and one about `kernel` where it cannot compute this problem.
package func forcedAttention<Element: AttentionElement>(
  _ kernel: AttentionPlan.Kernel, queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>,
  packing: PackedSequences? = nil, mask: AttentionMask = .none,
  options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared,
  into output: inout Tensor<Element>
) throws(AttentionError) {
  guard kernel == .gemm else {
    throw AttentionError("kernel", "\(kernel.rawValue) given, there is only gemm")
  }
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
