/// The ways that attention can run on this machine, for tests that hold each against the oracle.
package struct ForcedVariant: Sendable, CustomStringConvertible {
  /// The instruction set.
  package let set: String
  /// The kernel, where it can compute the problem; else the one that the rule chooses.
  package let kernel: AttentionPlan.Kernel
  /// Whether BLAS's products are cut for its small-matrix kernels and keys transposed for them.
  package let usesSmallProducts: Bool

  /// Every instruction set of this CPU with every kernel, BLAS's with and without small products; the best set comes last.
  package static var all: [ForcedVariant] {
    KernelVariant.setNames.flatMap { set in
      [
        ForcedVariant(set: set, kernel: .gemm, usesSmallProducts: false),
        ForcedVariant(set: set, kernel: .gemm, usesSmallProducts: true),
        ForcedVariant(set: set, kernel: .fused, usesSmallProducts: false),
        ForcedVariant(set: set, kernel: .decode, usesSmallProducts: false),
      ]
    }
  }

  /// The kernels of the best instruction set.
  package static var best: [ForcedVariant] {
    let best = KernelVariant.setNames.last
    return all.filter { $0.set == best }
  }

  /// The set, the kernel, and how BLAS multiplies.
  package var description: String {
    "\(set), \(kernel.rawValue)\(usesSmallProducts ? " with small products" : "")"
  }

  /// Attention as the public functions compute it, this way.
  ///
  /// - Precondition: the CPU supports the set.
  package func attention<Element: AttentionElement>(
    queries: Tensor<Element>, keyValues: KeyValues<Element>, packing: PackedSequences? = nil,
    scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(),
    on pool: WorkerPool
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    let inputs = AttentionInputs(
      queries: queries, keyValues: keyValues, packing: packing, scale: scale, mask: mask, options: options)
    let problem = try AttentionProblem(inputs)
    return try inputs.withOutputAndLogSumExp(of: problem) { result in
      attend(problem, into: result, on: pool, variant)
    }
  }

  /// The same for keys and values in a tensor each.
  package func attention<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    try attention(
      queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
      options: options, on: pool)
  }

  /// Scores as ``attentionScores(queries:keys:scale:mask:options:stage:rows:on:)`` computes them, this way.
  ///
  /// - Precondition: the CPU supports the set.
  package func scores<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, scale: Double? = nil, mask: AttentionMask = .none,
    options: AttentionOptions = AttentionOptions(), stage: ScoreStage = .weights, rows: Range<Int>? = nil,
    on pool: WorkerPool
  ) throws(AttentionError) -> Tensor<Element.Accumulator> {
    let inputs = AttentionInputs(
      queries: queries, keyValues: KeyValues(keys: keys, values: keys), scale: scale, mask: mask,
      options: options)
    return try attentionScores(inputs, stage, rows: rows, on: pool, variant)
  }

  private var variant: KernelVariant {
    guard var variant = KernelVariant(setName: set, usesSmallProducts: usesSmallProducts) else {
      preconditionFailure("no instruction set \(set) here, only \(KernelVariant.setNames)")
    }
    variant.kernel = kernel
    return variant
  }
}
