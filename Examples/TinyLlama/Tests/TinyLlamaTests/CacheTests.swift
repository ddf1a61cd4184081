import Attention
import Testing

@testable import TinyLlama

/// Caches that grow in place while views of them live.
struct CacheTests {
  let rotary: RotaryEmbedding

  init() throws {
    rotary = try RotaryEmbedding(headDimension: 32, positions: 64)
  }

  @Test func appendingCopiesNothingWhileEarlierViewsLive() throws {
    var cache = LayerCache(heads: 2, width: 32, capacity: 64)
    var earlier: [(keys: Tensor<Float>, values: Tensor<Float>)] = []
    var expectedKeys: [Tensor<Float>] = []
    var expectedValues: [Tensor<Float>] = []
    for seed in 0..<40 {
      let keys = Tensor<Float>.normal([1, 2, 1, 32], seed: UInt64(seed))
      let values = Tensor<Float>.normal([1, 2, 1, 32], seed: UInt64(100 + seed))
      expectedKeys.append(try rotary.applied(to: keys, positions: .from(seed)))
      expectedValues.append(values)
      try cache.append(keys: keys, values: values, rotary)
      earlier.append((cache.keys.tensor, cache.values.tensor))
    }
    for (index, view) in earlier.enumerated() {
      #expect(view.keys.address == earlier[0].keys.address, "keys moved at append \(index)")
      #expect(view.values.address == earlier[0].values.address, "values moved at append \(index)")
      #expect(try view.keys == .concatenate(Array(expectedKeys[...index]), axis: 2))
      #expect(try view.values == .concatenate(Array(expectedValues[...index]), axis: 2))
    }
  }

  @Test func aFullCacheMovesAndLeavesEarlierViewsAsTheyWere() throws {
    var cache = LayerCache(heads: 2, width: 32, capacity: 4)
    let keys = Tensor<Float>.normal([1, 2, 4, 32], seed: 1)
    try cache.append(keys: keys, values: keys, rotary)
    let full = cache.values.tensor
    try cache.append(keys: keys, values: keys, rotary)
    #expect(cache.values.tensor.address != full.address)
    #expect(full == keys)
    #expect(try cache.values.tensor == .concatenate([keys, keys], axis: 2))
  }

  @Test func aTokenBeyondTheTablesIsRefusedAndNotAppended() throws {
    var cache = LayerCache(heads: 2, width: 32, capacity: 4)
    let keys = Tensor<Float>.normal([1, 2, 65, 32], seed: 1)
    #expect(throws: AttentionError.self) { try cache.append(keys: keys, values: keys, rotary) }
    #expect(cache.count == 0 && cache.values.count == 0)
  }
}
