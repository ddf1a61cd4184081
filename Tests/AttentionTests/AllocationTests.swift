import Attention
import CAllocationCount
import Parallelism
import Testing

/// What a call allocates once its thread has computed the like before.
@Suite struct AllocationTests {
  struct Case: Sendable, CustomStringConvertible {
    let description: String
    let queries: Shape
    let keys: Shape
    var mask = AttentionMask.none
    var options = AttentionOptions()
  }

  static let cases = [
    Case(description: "one short head", queries: [1, 1, 32, 64], keys: [1, 1, 32, 64]),
    Case(description: "causal", queries: [2, 3, 100, 40], keys: [2, 3, 100, 40], mask: .causal),
    Case(
      description: "window and softcap", queries: [1, 4, 300, 64], keys: [1, 2, 300, 64],
      mask: .causal & .window(left: 70), options: AttentionOptions(softcap: 30)),
    Case(description: "decode", queries: [1, 8, 1, 64], keys: [1, 2, 77, 64]),
    Case(description: "decode of parts", queries: [1, 8, 1, 64], keys: [1, 2, 5000, 64], mask: .causal),
  ]

  /// Two objects, the checked problem and its kernel, of one size for all problems: nothing for each block, row or key. Tiles of BLAS,
  /// which instruction sets without vectors have for all problems, allocate for each block.
  @Test(arguments: cases) func onlyTheProblemAndItsKernelAreAllocated(_ example: Case) throws {
    try check(example, Float.self)
    try check(example, Float16.self)
    try check(example, BFloat16.self)
  }

  private func check<Element: AttentionElement>(_ example: Case, _: Element.Type) throws {
    // All of its work is done by the calling thread, whose allocations are counted.
    let pool = WorkerPool(threads: 1)
    let queries: Tensor<Element> = .normal(example.queries, seed: 1)
    let keys: Tensor<Element> = .normal(example.keys, seed: 2)
    let values: Tensor<Element> = .normal(example.keys, seed: 3)
    var output: Tensor<Element> = .zeros(example.queries)
    var allocations: [Int] = []
    allocations.reserveCapacity(4)
    for _ in 0..<4 {
      let before = CAllocationCount_ofThisThread()
      try scaledDotProductAttention(
        queries: queries, keys: keys, values: values, mask: example.mask, options: example.options, on: pool,
        into: &output)
      allocations.append(Int(CAllocationCount_ofThisThread() - before))
    }
    #expect(allocations[0] > 0, "allocations are not counted")
    let plan = try AttentionPlan(
      queries: queries, keys: keys, values: values, mask: example.mask, options: example.options, on: pool)
    if plan.kernel == .gemm { return }
    #expect(allocations[3] <= 2, "\(example), \(Element.self): \(allocations)")
  }
}
