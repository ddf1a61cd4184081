import Attention
import DistributedAttention
import Testing

/// Keys that are the later part of a sequence.
struct StartingPositionTests {
  private let queries = Tensor<Float>.normal([2, 4, 3, 16], seed: 1)
  private let keys = Tensor<Float>.normal([2, 2, 40, 16], seed: 2)
  private let values = Tensor<Float>.normal([2, 2, 40, 16], seed: 3)

  /// The whole with the keys before hidden by a tensor, which knows nothing of positions.
  @Test(arguments: [0, 1, 17, 39]) func rulesCountPositions(_ start: Int) throws {
    let slopes = AttentionMask.alibiSlopes(heads: 4)
    for mask in [
      AttentionMask.causal(.offset(30)), .window(left: 20, right: 3, .offset(25)),
      .window(left: 4, keepingFirst: 19, .offset(33)), .alibi(slopes: slopes, .offset(12)), .none,
    ] {
      let hidden = try Tensor((0..<40).map { $0 >= start }, shape: [1, 40])
      let whole = try ScaledDotProductAttention(mask: mask & .boolean(hidden)).withLogSumExp(
        queries, KeyValues(keys: keys, values: values))
      let part = KeyValues(
        keys: keys.sliced(axis: 2, start..<40), values: values.sliced(axis: 2, start..<40))
      for moved in [part.starting(at: start), part.starting(at: 3).starting(at: [start, start])] {
        let result = try ScaledDotProductAttention(mask: mask).withLogSumExp(queries, moved)
        #expect(result.output.maximumDifference(whole.output) <= 4e-6, "\(mask), from \(start)")
        #expect(result.logSumExp.maximumDifference(whole.logSumExp) <= 1e-5, "\(mask), from \(start)")
      }
    }
  }

  @Test func whatCannotStandThereIsRefused() throws {
    let attend = ScaledDotProductAttention()
    let part = KeyValues(keys: keys, values: values)
    func reason(_ keyValues: KeyValues) -> String? {
      #expect(throws: AttentionError.self) { try attend(queries, keyValues) }?.reason
    }
    #expect(reason(part.starting(at: -1))?.contains("start at position -1 given") == true)
    #expect(reason(part.starting(at: .max))?.contains("expected positions in 0...2147483647") == true)
    #expect(reason(part.starting(at: Int(Int32.max) - 39))?.contains("expected positions") == true)
    #expect(
      reason(part.starting(at: [1]))?.contains("1 first positions given, expected one for each of 2") == true)
    #expect(
      reason(KeyValues(joining: [part, part.starting(at: 40)]))?.contains("parts that follow each other")
        == true)
    let pool = try KeyValuePool(
      layers: 1, heads: 2, depth: 16, keys: .float32, values: .float32, pageSize: 4, pages: 20)
    let ring = try pool.makeSequence(window: 3, longestAppend: 8)
    for _ in 0..<4 {
      let step = try KeyValueStep([ring], appending: [8])
      try step.write(
        layer: 0, keys: Tensor<Float>.normal([8, 2, 16], seed: 1),
        values: Tensor<Float>.normal([8, 2, 16], seed: 2))
      try step.commit()
    }
    let step = try KeyValueStep([ring], appending: [0])
    let cached = try step.keyValues(layer: 0).starting(at: 5)
    let error = #expect(throws: AttentionError.self) {
      try attend(queries.sliced(axis: 0, 0..<1), cached)
    }
    #expect(error?.reason.contains("a ring that has overwritten rows") == true)
  }
}
