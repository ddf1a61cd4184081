import CAttentionKernels
import Parallelism

/// The instruction sets that kernels can run on, for those who hold each against the oracle on one machine.
package enum KernelSets {
  /// The sets that this CPU supports, lowest first.
  package static var names: [String] {
    var names: [String] = []
    while let name = CAttentionKernels_name(Int32(names.count)) { names.append(String(cString: name)) }
    return names
  }

  /// Attention as the public functions compute it, on one instruction set.
  ///
  /// - Precondition: the set is one of ``names``.
  package static func attention<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, on pool: WorkerPool, set: String
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    guard let kernels = CAttentionKernels_named(set) else {
      preconditionFailure("no instruction set \(set) here, only \(names)")
    }
    let inputs = AttentionInputs(queries: queries, keys: keys, values: values)
    let problem = try AttentionProblem(inputs, scale: scale, mask: mask)
    return inputs.withOutputAndLogSumExp(of: problem) { result in
      attend(problem, into: result, on: pool, kernels: kernels)
    }
  }
}
