import Attention
import Testing

/// Tensors, views, rotary embedding and attention throw one type: a function that says so can call them all.
struct ErrorProbes {
  let attend = ScaledDotProductAttention(mask: .causal)
  let rotary: RotaryEmbedding

  init() throws {
    rotary = try RotaryEmbedding(headDimension: 32, positions: 64)
  }

  /// From `[1, T, 4 · 32]`, queries and keys and values alike, to `[1, T, 4 · 32]`.
  private func selfAttention(_ x: Tensor<Float>, heads: Int) throws(AttentionError) -> Tensor<Float> {
    let turned = try rotary.applied(to: x.splitHeads(heads))
    let average = try (turned + turned) * Float(0.5)
    var output = Tensor<Float>.zeros(x.shape)
    try output.withMutableView { view throws(AttentionError) in
      try attend.write(
        average, KeyValues(keys: turned, values: x.splitHeads(heads)), to: view.splitHeads(heads))
    }
    return try output.reshaped(to: [x.shape[1], x.shape[2]])
  }

  @Test func oneErrorTypeForAllOfIt() throws {
    let x = Tensor<Float>.normal([1, 10, 128], seed: 1)
    let turned = try rotary.applied(to: x.splitHeads(4))
    let expected = try attentionByFormula(turned, turned, x.splitHeads(4)).mergeHeads()
    let output = try selfAttention(x, heads: 4)
    #expect(try output.maximumDifference(expected.reshaped(to: [10, 128])) <= floatTolerance)
  }

  @Test func errorsOfEachPart() {
    func refused(_ heads: Int, _ shape: Shape) -> String? {
      do {
        _ = try selfAttention(.zeros(shape), heads: heads)
        return nil
      } catch {
        return error.argument
      }
    }
    #expect(refused(3, [1, 10, 128]) == "splitHeads(_:)")
    #expect(refused(2, [1, 10, 128]) == "tensor", "rotary embedding: rows of another width")
    #expect(refused(4, [1, 65, 128]) == "positions", "rotary embedding: beyond its tables")
    #expect(refused(4, [2, 10, 128]) == "reshaped(to:)")
  }
}
