import Attention
import TestSupport
import Testing

/// Packed sequences against each sequence by itself, and what must be refused.
@Suite struct PackedAttentionTests {
  private static let queryLengths = [5, 0, 33, 1, 200]
  private static let keyLengths = [7, 3, 33, 0, 130]

  private func inputs<E: AttentionElement>(_: E.Type, extraRows: Int = 0) -> AttentionTensors<E> {
    let (queries, keys) = (Self.queryLengths.reduce(0, +), Self.keyLengths.reduce(0, +))
    return (
      .normal([queries + extraRows, 6, 24], seed: 1), .normal([keys, 2, 24], seed: 2),
      .normal([keys, 2, 20], seed: 3)
    )
  }

  private func packed<E: AttentionElement>(_ inputs: AttentionTensors<E>) -> (Queries<E>, KeyValues) {
    (
      .packed(inputs.q, lengths: Self.queryLengths),
      KeyValues(packedKeys: inputs.k, values: inputs.v, lengths: Self.keyLengths)
    )
  }

  private static let masks: [AttentionMask] = [
    .none, .causal, .causal(.topLeft) & .window(left: 9),
    .alibi(slopes: [0.5, 0.25, 0.1, 0, 1, 2]) & .causal,
  ]

  @Test(arguments: masks) func eachSequenceIsAsIfAlone(mask: AttentionMask) throws {
    try check(mask, Float.self)
    try check(mask, BFloat16.self)
    try check(mask, Double.self)
  }

  private func check<E: AttentionElement>(_ mask: AttentionMask, _: E.Type) throws {
    let tensors = inputs(E.self)
    let (queries, keyValues) = packed(tensors)
    for pool in [Pools.one, Pools.three] {
      let (output, logSumExp) = try ScaledDotProductAttention(mask: mask, on: pool).withLogSumExp(
        queries, keyValues)
      var (row, key) = (0, 0)
      for b in Self.queryLengths.indices {
        let (rows, keys) = (row..<row + Self.queryLengths[b], key..<key + Self.keyLengths[b])
        (row, key) = (rows.upperBound, keys.upperBound)
        func alone(_ tensor: Tensor<E>, _ range: Range<Int>) -> Tensor<E> {
          tensor.sliced(axis: 0, range).permuted(1, 0, 2).expanded(axis: 0).contiguousCopy()
        }
        let expected = try ScaledDotProductAttention(mask: mask).withLogSumExp(
          alone(tensors.q, rows), KeyValues(keys: alone(tensors.k, keys), values: alone(tensors.v, keys)))
        let part = alone(output, rows)
        #expect(part == expected.output, "\(E.self) \(mask) sequence \(b)")
        #expect(
          logSumExp.sliced(axis: 1, rows).expanded(axis: 0) == expected.logSumExp,
          "\(E.self) \(mask) sequence \(b)")
      }
    }
  }

  /// Tasks of kernels that compute and of such that read take turns; each is taken once.
  @Test func aStepOfManyTokensAndSomeChunksIsAsIfEachWereAlone() throws {
    let queryLengths = (0..<23).map { $0 == 4 ? 40 : $0 == 19 ? 7 : 1 }
    let keyLengths = (0..<23).map { 40 + $0 * 613 % 1300 }
    let q = Tensor<Float>.normal([queryLengths.reduce(0, +), 6, 24], seed: 1)
    let (k, v) = (
      Tensor<Float>.normal([23, 2, 1340, 24], seed: 2), Tensor<Float>.normal([23, 2, 1340, 24], seed: 3)
    )
    let (queries, keyValues) = (
      Queries.packed(q, lengths: queryLengths), KeyValues(keys: k, values: v, lengths: keyLengths)
    )
    let expected = try ScaledDotProductAttention(mask: .causal, on: Pools.one)(queries, keyValues)
    for pool in [Pools.two, Pools.three, Pools.seven] {
      let output = try ScaledDotProductAttention(mask: .causal, on: pool)(queries, keyValues)
      #expect(output == expected, "\(pool.threadCount) threads")
    }
    var row = 0
    for (b, count) in queryLengths.enumerated() {
      let rows = row..<row + count
      row = rows.upperBound
      func only(_ tensor: Tensor<Float>) -> Tensor<Float> { tensor.sliced(axis: 0, b..<b + 1) }
      let alone = try ScaledDotProductAttention(mask: .causal)(
        Queries.packed(q.sliced(axis: 0, rows), lengths: [count]),
        KeyValues(keys: only(k), values: only(v), lengths: [keyLengths[b]]))
      #expect(alone == expected.sliced(axis: 0, rows), "sequence \(b)")
    }
  }

  @Test func packedEqualsPaddedByLengths() throws {
    let lengths = [3, 64, 17]
    let shape = ProblemShape(
      batch: 3, heads: HeadCounts(query: 4, keyValue: 2), queries: 64, keys: 64, headDimension: 16,
      valueDimension: 16)
    let (q, k, v) = shape.inputs(Float.self)
    let attend = ScaledDotProductAttention(mask: .causal)
    let padded = try attend(.padded(q, lengths: lengths), KeyValues(keys: k, values: v, lengths: lengths))
    func packed(_ tensor: Tensor<Float>) throws -> Tensor<Float> {
      try Tensor.concatenate(
        lengths.indices.map {
          tensor.selected(axis: 0, $0).permuted(1, 0, 2).sliced(axis: 0, 0..<lengths[$0])
        }, axis: 0)
    }
    let output = try attend(
      .packed(packed(q), lengths: lengths),
      KeyValues(packedKeys: packed(k), values: packed(v), lengths: lengths))
    #expect(try output == packed(padded))
    for (b, length) in lengths.enumerated() {
      let padding = padded.selected(axis: 0, b).sliced(axis: 1, length..<64)
      #expect(padding.elements.allSatisfy { $0 == 0 }, "sequence \(b)")
    }
  }

  @Test func rowsOfNoSequenceAreZero() throws {
    let tensors = inputs(Float.self, extraRows: 4)
    let (queries, keyValues) = packed(tensors)
    let total = tensors.q.shape[0]
    var memory = Tensor<Float>(repeating: .nan, shape: [total, 6, 20])
    var sums = Tensor<Float>(repeating: .nan, shape: [6, total])
    try memory.withMutableView { view in
      try sums.withMutableView { sums in
        try ScaledDotProductAttention().write(queries, keyValues, to: view, logSumExp: sums)
      }
    }
    let end = Self.queryLengths.reduce(0, +)
    #expect(memory.sliced(axis: 0, end..<end + 4).elements.allSatisfy { $0 == 0 })
    #expect(memory.elements.allSatisfy { $0.isFinite })
    #expect(sums.sliced(axis: 1, end..<end + 4).elements.allSatisfy { $0 == -.infinity })
    #expect(sums.elements.allSatisfy { !$0.isNaN })
  }

  @Test func refusesWhatDoesNotFitItsTensors() throws {
    let (q, k, v) = inputs(Float.self)
    func refusal(
      _ q: Tensor<Float>, _ k: Tensor<Float>, _ v: Tensor<Float>, keyLengths: [Int] = Self.keyLengths
    ) -> String? {
      AttentionTests.refusal { () throws(AttentionError) in
        try ScaledDotProductAttention()(
          .packed(q, lengths: Self.queryLengths),
          KeyValues(packedKeys: k, values: v, lengths: keyLengths))
      }?.argument
    }
    #expect(refusal(q, k, v) == nil)
    #expect(refusal(q.sliced(axis: 0, 0..<200), k, v) == "lengths")
    #expect(refusal(q, k.sliced(axis: 0, 0..<100), v.sliced(axis: 0, 0..<100)) == "lengths")
    #expect(refusal(q, k, v, keyLengths: [173]) == "lengths")
    #expect(refusal(q, k, v.sliced(axis: 0, 0..<100)) == "values")
    #expect(refusal(q.expanded(axis: 0), k, v) == "queries")
    #expect(refusal(q, k.expanded(axis: 0), v) == "packedKeys")
    #expect(refusal(q.sliced(axis: 1, 0..<5), k, v) == "packedKeys")
  }

  @Test func errorsShowTheShapesThatWereGiven() throws {
    let (q, k, v) = inputs(Float.self)
    func message(_ k: Tensor<Float>, _ v: Tensor<Float>) -> String? {
      let (queries, keyValues) = packed((q, k, v))
      return refusal { () throws(AttentionError) in try ScaledDotProductAttention()(queries, keyValues) }?
        .description
    }
    let narrow = k.sliced(axis: 2, 0..<20)
    #expect(message(narrow, v)?.contains("shape \(narrow.shape) given") == true)
    let short = v.sliced(axis: 0, 0..<100)
    #expect(
      message(k, short)
        == "values: shape \(short.shape) given, expected [173, 2, Dv] to match packedKeys \(k.shape)")
  }
}
