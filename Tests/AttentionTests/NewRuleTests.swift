import Attention
import TestSupport
import Testing

/// A mask rule that is a key range is complete in one source file, wherever that is: these two live in this one, and every kernel
/// of every instruction set computes them.
///
/// Queries see the keys of their own chunk up to themselves (chunked local attention, as Llama 4 alternates it with full attention).
private struct ChunkedLocal: KeyRangeRule {
  let size: Int

  var description: String { "chunkedLocal(\(size))" }

  func visibleKeys(of query: QueryPlace) -> Range<Int> {
    // Rounded down: positions may lie before the first key.
    let chunk = (query.position >= 0 ? query.position : query.position - size + 1) / size
    return query.keys(from: chunk * size, through: query.position)
  }

  func check() throws(AttentionError) {
    if size < 1 { throw AttentionError("mask", "chunks of \(size) keys given, expected 1 or more") }
  }
}

/// All queries see a prefix; beyond it, what is causal (a prefix language model, as T5 and PaliGemma have it).
private struct PrefixLM: KeyRangeRule {
  /// One a sequence.
  let lengths: [Int]

  var description: String { "prefixLM\(lengths)" }

  func visibleKeys(of query: QueryPlace) -> Range<Int> {
    query.keys(from: 0, through: max(lengths[query.sequence] - 1, query.position))
  }
}

@Suite struct NewRuleTests {
  /// Small, and longer than a tile both ways.
  private static let shapes = [
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 23, keys: 40, headDimension: 16,
      valueDimension: 9),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 2, keyValue: 1), queries: 200, keys: 530, headDimension: 8,
      valueDimension: 8),
  ]

  private func check(
    _ mask: AttentionMask, isVisible: @escaping (ProblemShape) -> (Int, Int, Int) -> Bool
  ) throws {
    for shape in Self.shapes {
      let inputs = shape.inputs(Float.self)
      let isVisible = isVisible(shape)
      let answer = OracleAnswer(inputs, MaskRules(isVisible: { b, _, i, j in isVisible(b, i, j) }))
      // A key range asks nothing of a kernel: none may refuse it.
      for variant in ForcedVariant.all {
        let result = try ScaledDotProductAttention(mask: mask, on: Pools.two).withLogSumExp(
          inputs.q, KeyValues(keys: inputs.k, values: inputs.v), forcing: variant)
        answer.expect(result, "\(shape), \(mask), \(variant)")
      }
    }
  }

  @Test(arguments: [1, 7, 128, 1000]) func chunkedLocalAttention(size: Int) throws {
    try check(.keyRange(ChunkedLocal(size: size))) { shape in
      { _, i, j in
        let position = i + shape.keys - shape.queries
        return j <= position && j / size == position / size
      }
    }
  }

  @Test func prefixLanguageModel() throws {
    try check(.keyRange(PrefixLM(lengths: [3, 31]), .topLeft)) { _ in
      { b, i, j in j < [3, 31][b] || j <= i }
    }
  }

  @Test func newRulesComposeWithOthers() throws {
    let mask = AttentionMask.keyRange(ChunkedLocal(size: 16)) & .window(left: 9)
    let variant = try #require(ForcedVariant.all.last)
    let shape = Self.shapes[0]
    let inputs = shape.inputs(Float.self)
    let lengths = [40, 29]
    let result = try ScaledDotProductAttention(mask: mask, on: Pools.two).withLogSumExp(
      inputs.q, KeyValues(keys: inputs.k, values: inputs.v, lengths: lengths), forcing: variant)
    expectMatchesOracle(
      result, inputs,
      MaskRules(isVisible: { b, _, i, j in
        let position = i + lengths[b] - shape.queries
        return j < lengths[b] && j <= position && j / 16 == position / 16 && j >= position - 9
      }), "\(mask)")
  }

  @Test func aRuleRefusesItsOwnNumbers() throws {
    let one = Tensor<Float>.zeros([1, 1, 1, 1])
    let error = #expect(throws: AttentionError.self) {
      try scaledDotProductAttention(
        queries: one, keys: one, values: one, mask: .keyRange(ChunkedLocal(size: 0)))
    }
    #expect(error?.argument == "mask")
  }
}
