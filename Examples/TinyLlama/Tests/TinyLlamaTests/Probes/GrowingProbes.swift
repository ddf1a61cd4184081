import Attention
import Testing

/// Keys and values that grow while what was taken of them before stays.
struct GrowingProbes {
  let attend = ScaledDotProductAttention(mask: .causal)
  let queries = Tensor<Float>.normal([1, 6, 1, 32], seed: 1)

  @Test func earlierKeyValuesStayWhileTheirMemoryGrows() throws {
    var rows = GrowableTensor<Float>(emptyShape: [1, 2, 0, 32], growing: 2, capacity: 100)
    try rows.append(.normal([1, 2, 30, 32], seed: 2))
    let held = KeyValues(keys: rows.tensor, values: rows.tensor)
    let address = rows.tensor.address
    let before = try attend(queries, held)
    for seed in 0..<50 { try rows.append(.normal([1, 2, 1, 32], seed: UInt64(10 + seed))) }
    #expect(rows.tensor.address == address)
    #expect(try attend(queries, held) == before)
    let all = rows.tensor.contiguousCopy()
    let now = try attend(queries, KeyValues(keys: rows.tensor, values: rows.tensor))
    #expect(try now.maximumDifference(attentionByFormula(queries, all, all)) <= floatTolerance)
  }

  @Test func twoContinuationsOfOnePrefix() throws {
    var first = GrowableTensor<Float>(emptyShape: [1, 2, 0, 32], growing: 2, capacity: 100)
    let prefix = Tensor<Float>.normal([1, 2, 30, 32], seed: 2)
    try first.append(prefix)
    var second = first
    let one = Tensor<Float>.normal([1, 2, 1, 32], seed: 3)
    let other = Tensor<Float>.normal([1, 2, 1, 32], seed: 4)
    try first.append(one)
    try second.append(other)
    #expect(try first.tensor == .concatenate([prefix, one], axis: 2))
    #expect(try second.tensor == .concatenate([prefix, other], axis: 2))
  }
}
