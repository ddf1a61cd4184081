/// The ways that attention can run on this machine, for tests that hold each against the oracle and benchmarks that compare them.
package struct ForcedVariant: Hashable, Sendable, CustomStringConvertible {
  /// The instruction set.
  package let set: String
  /// The kernel.
  package let kernel: AttentionPlan.Kernel
  /// Whether BLAS's products are cut for its small-matrix kernels and keys transposed for them; nil where this BLAS decides.
  package let usesSmallProducts: Bool?

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

  /// One kernel of the set that runs in this process.
  package init(_ kernel: AttentionPlan.Kernel) {
    self.init(set: KernelVariant.best.setName, kernel: kernel, usesSmallProducts: nil)
  }

  private init(set: String, kernel: AttentionPlan.Kernel, usesSmallProducts: Bool?) {
    self.set = set
    self.kernel = kernel
    self.usesSmallProducts = usesSmallProducts
  }

  /// The set, the kernel, and how BLAS multiplies.
  package var description: String {
    "\(set), \(kernel.rawValue)\(usesSmallProducts == true ? " with small products" : "")"
  }

  var variant: KernelVariant {
    guard var variant = KernelVariant(setName: set, usesSmallProducts: usesSmallProducts) else {
      preconditionFailure("no instruction set \(set) here, only \(KernelVariant.setNames)")
    }
    variant.kernel = kernel
    return variant
  }
}

extension ScaledDotProductAttention {
  /// ``withLogSumExp(_:_:)`` in one way.
  ///
  /// - Throws: ``AttentionError`` as that does, and one that names `kernel` where the kernel cannot compute the problem.
  /// - Precondition: the CPU supports the set.
  package func withLogSumExp<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, forcing variant: ForcedVariant
  ) throws(AttentionError) -> (output: Tensor<Q.Element>, logSumExp: Tensor<Q.Element.Accumulator>) {
    let rows = queries.queries.rows
    let results: (Tensor<Q.Element>, Tensor<Q.Element.Accumulator>) = try newResults(
      of: PlannedAttention(self, rows, keyValues, variant.variant))
    withExtendedLifetime((rows, keyValues)) {}
    return results
  }

  /// ``write(_:_:to:logSumExp:)`` in one way, without log-sum-exp.
  ///
  /// - Throws: ``AttentionError`` as that does, and one that names `kernel` where the kernel cannot compute the problem.
  /// - Precondition: the CPU supports the set.
  package func write<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, forcing variant: ForcedVariant,
    to output: MutableTensorView<Q.Element>
  ) throws(AttentionError) {
    let rows = queries.queries.rows
    let call = try PlannedAttention(self, rows, keyValues, variant.variant)
    try call.run(
      into: AttentionResult(output, logSumExp: nil, checkedFor: call.problem.layout), on: pool)
    withExtendedLifetime((rows, keyValues)) {}
  }

  /// ``plan(_:_:)`` in one way.
  ///
  /// - Throws: ``AttentionError`` as that does, and one that names `kernel` where the kernel cannot compute the problem.
  /// - Precondition: the CPU supports the set.
  package func plan<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, forcing variant: ForcedVariant
  ) throws(AttentionError) -> AttentionPlan {
    try AttentionPlan(PlannedAttention(self, queries.queries.rows, keyValues, variant.variant), self)
  }

  /// ``scores(_:_:stage:rows:)`` by the kernels of one instruction set.
  ///
  /// - Precondition: the CPU supports the set.
  package func scores<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, stage: ScoreStage, rows: Range<Int>? = nil,
    forcing variant: ForcedVariant
  ) throws(AttentionError) -> Tensor<Q.Element.Accumulator> {
    try scores(queries, keyValues, ScoreRequest(stage: stage, rows: rows), variant.variant)
  }
}
