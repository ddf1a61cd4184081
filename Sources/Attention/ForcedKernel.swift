/// Attention by one kernel, for benchmarks that compare them; else as the public functions compute it.
///
/// - Throws: ``AttentionError`` that names `kernel` where that kernel cannot compute the problem.
package func forcedAttention<Element: AttentionElement>(
  _ kernel: AttentionPlan.Kernel, queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>,
  packing: PackedSequences? = nil, mask: AttentionMask = .none,
  options: AttentionOptions = AttentionOptions(),
  on pool: WorkerPool = .shared, into output: inout Tensor<Element>
) throws(AttentionError) {
  let inputs =
    if let packing {
      try AttentionInputs(packedQueries: queries, keys: keys, values: values, packing, nil, mask, options)
    } else {
      AttentionInputs(
        queries: queries, keyValues: KeyValues(keys: keys, values: values), mask: mask, options: options)
    }
  let problem = try AttentionProblem(inputs)
  if let refusal = KernelRule.refusal(of: kernel, problem) {
    throw AttentionError(
      "kernel", "\(kernel.rawValue) given for a problem that it cannot compute: \(refusal.rawValue)")
  }
  try inputs.check(output: output.shape, problem.sizes)
  var variant = KernelVariant.best
  variant.kernel = kernel
  output.withMutableView { attend(problem, into: AttentionResult(output: $0), on: pool, variant) }
  withExtendedLifetime(inputs) {}
}
