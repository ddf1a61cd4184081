import Attention
import Testing

/// One plan for all layers of a step.
struct PlanProbes {
  let attend = ScaledDotProductAttention(mask: .causal)

  @Test func onePlanForAllLayers() throws {
    let step = try ServerStep()
    let queries = Queries.packed(step.queries, lengths: step.queryLengths)
    let plan = try attend.plan(queries, step.pages)
    var output = Tensor<Float>.zeros(step.queries.shape)
    // A layer with keys and values of its own, in pages of the same table.
    let swapped = KeyValues(
      keyPages: step.valuePages, valuePages: step.keyPages, pageTable: step.pageTable,
      lengths: step.keyLengths)
    for keyValues in [step.pages, swapped, step.pages] {
      try output.withMutableView { view in try plan.run(queries, keyValues, to: view) }
      #expect(try output == attend(queries, keyValues))
    }
  }

  @Test func aPlanRefusesTheNextStep() throws {
    let queries = Tensor<Float>.normal([1, 6, 1, 32], seed: 1)
    let rows = Tensor<Float>.normal([1, 2, 11, 32], seed: 2)
    let now = rows.sliced(axis: 2, 0..<10)
    let plan = try attend.plan(queries, KeyValues(keys: now, values: now))
    var output = Tensor<Float>.zeros([1, 6, 1, 32])
    #expect(throws: AttentionError.self) {
      try output.withMutableView { view in
        try plan.run(queries, KeyValues(keys: rows, values: rows), to: view)
      }
    }
    #expect(output == .zeros([1, 6, 1, 32]))
  }

  @Test func aPlanSaysWhichKernelAndWhy() throws {
    let queries = Tensor<Float>.normal([1, 6, 1, 32], seed: 1)
    let rows = Tensor<Float>.normal([1, 2, 10, 32], seed: 2)
    let plan = try attend.plan(queries, KeyValues(keys: rows, values: rows))
    #expect(plan.kernel == .decode)
    #expect("\(plan)".contains("decode"))
  }
}
