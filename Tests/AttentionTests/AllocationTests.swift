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

    /// The calling thread, whose allocations are counted, does all of its work.
    var attend: ScaledDotProductAttention {
      ScaledDotProductAttention(mask: mask, options: options, on: WorkerPool(threads: 1))
    }
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

  /// What each of four runs allocates.
  private func allocations(_ body: () throws -> Void) throws -> [Int] {
    var counts: [Int] = []
    counts.reserveCapacity(4)
    for _ in 0..<4 {
      let before = CAllocationCount_ofThisThread()
      try body()
      counts.append(Int(CAllocationCount_ofThisThread() - before))
    }
    return counts
  }

  /// One object, the checked problem, and the list of what happens to its scores where something does: nothing for each block, row or
  /// key. Tiles of BLAS, which instruction sets without vectors have for all problems, allocate for each block.
  @Test(arguments: cases) func onlyTheProblemIsAllocated(_ example: Case) throws {
    try check(example, Float.self)
    try check(example, Float16.self)
    try check(example, BFloat16.self)
  }

  private func check<Element: AttentionElement>(_ example: Case, _: Element.Type) throws {
    let attend = example.attend
    let queries: Tensor<Element> = .normal(example.queries, seed: 1)
    let keys: Tensor<Element> = .normal(example.keys, seed: 2)
    let values: Tensor<Element> = .normal(example.keys, seed: 3)
    var output: Tensor<Element> = .zeros(example.queries)
    try output.withMutableView { view in
      let calls = try allocations {
        try attend.write(queries, KeyValues(keys: keys, values: values), to: view)
      }
      #expect(calls[0] > 0, "allocations are not counted")
      let plan = try attend.plan(queries, KeyValues(keys: keys, values: values))
      if plan.kernel == .gemm { return }
      #expect(calls[3] <= (example.options.softcap == nil ? 1 : 2), "\(example), \(Element.self): \(calls)")
      let runs = try allocations { try plan.run(queries, KeyValues(keys: keys, values: values), to: view) }
      #expect(runs[3] == 0, "planned \(example), \(Element.self): \(runs)")
    }
  }

  /// A decode step of sequences of different lengths, whose plan is made and whose lists of lengths exist.
  @Test(arguments: SourceKind.whole) func aPlannedStepAllocatesNothing(source: SourceKind) throws {
    let lengths = [700, 1, 1300]
    let keys: Tensor<BFloat16> = .normal([3, 2, 1300, 64], seed: 2)
    let keyValues = try source.keyValues(keys, keys, lengths: lengths)
    let attend = ScaledDotProductAttention(mask: .causal, on: WorkerPool(threads: 1))
    let (padded, packed) = (
      Queries.padded(Tensor<Float>.normal([3, 8, 1, 64], seed: 1), lengths: [1, 1, 1]),
      Queries.packed(Tensor<Float>.normal([3, 8, 64], seed: 1), lengths: [1, 1, 1])
    )
    for queries in [Queries(Tensor<Float>.normal([3, 8, 1, 64], seed: 1)), padded, packed] {
      let plan = try attend.plan(queries, keyValues)
      if plan.kernel == .gemm { return }
      var output = try attend(queries, keyValues)
      let expected = output
      var sums = try attend.withLogSumExp(queries, keyValues).logSumExp
      try output.withMutableView { view in
        try sums.withMutableView { sums in
          // Once a process, the runtime makes what it knows of types.
          try plan.run(queries, keyValues, to: view, logSumExp: sums)
          let runs = try allocations { try plan.run(queries, keyValues, to: view, logSumExp: sums) }
          #expect(runs.allSatisfy { $0 == 0 }, "\(source): \(runs)")
        }
      }
      #expect(output == expected, "\(source)")
    }
  }
}
