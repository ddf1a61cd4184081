import Attention
import AttentionReference
import Testing

/// Packed sequences against each sequence by itself, and what must be refused.
@Suite struct PackedAttentionTests {
  private static let queryLengths = [5, 0, 33, 1, 200]
  private static let keyLengths = [7, 3, 33, 0, 130]

  private func inputs<E: AttentionElement>(_: E.Type, extraRows: Int = 0) throws
    -> (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>, sequences: PackedSequences)
  {
    let sequences = try PackedSequences(queryLengths: Self.queryLengths, keyLengths: Self.keyLengths)
    let (queries, keys) = (Self.queryLengths.reduce(0, +), Self.keyLengths.reduce(0, +))
    return (
      .normal([queries + extraRows, 6, 24], seed: 1), .normal([keys, 2, 24], seed: 2),
      .normal([keys, 2, 20], seed: 3), sequences
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
    let (q, k, v, sequences) = try inputs(E.self)
    for pool in [Pools.one, Pools.three] {
      let (output, logSumExp) = try packedScaledDotProductAttention(
        queries: q, keys: k, values: v, sequences: sequences, mask: mask, on: pool)
      for b in 0..<sequences.count {
        let rows = sequences.cumulativeQueryLengths[b]..<sequences.cumulativeQueryLengths[b + 1]
        let columns = sequences.cumulativeKeyLengths[b]..<sequences.cumulativeKeyLengths[b + 1]
        func alone(_ tensor: Tensor<E>, _ range: Range<Int>) -> Tensor<E> {
          tensor.sliced(axis: 0, range).permuted(1, 0, 2).expanded(axis: 0).contiguousCopy()
        }
        let expected = try scaledDotProductAttentionWithLogSumExp(
          queries: alone(q, rows), keys: alone(k, columns), values: alone(v, columns), mask: mask)
        let part = alone(output, rows)
        #expect(part == expected.output, "\(E.self) \(mask) sequence \(b)")
        #expect(
          logSumExp.sliced(axis: 1, rows).expanded(axis: 0) == expected.logSumExp,
          "\(E.self) \(mask) sequence \(b)")
      }
    }
  }

  @Test func packedEqualsPaddedByLengths() throws {
    let lengths = [3, 64, 17]
    let shape = ProblemShape(
      batch: 3, queryHeads: 4, keyValueHeads: 2, queries: 64, keys: 64, headDimension: 16, valueDimension: 16)
    let (q, k, v) = shape.inputs(Float.self)
    let mask = AttentionMask.queryLengths(lengths) & .keyLengths(lengths)
    let padded = try scaledDotProductAttention(queries: q, keys: k, values: v, mask: mask & .causal)
    func packed(_ tensor: Tensor<Float>) throws -> Tensor<Float> {
      try Tensor.concatenate(
        lengths.indices.map {
          tensor.selected(axis: 0, $0).permuted(1, 0, 2).sliced(axis: 0, 0..<lengths[$0])
        }, axis: 0)
    }
    let output = try packedScaledDotProductAttention(
      queries: packed(q), keys: packed(k), values: packed(v),
      sequences: PackedSequences(queryLengths: lengths),
      mask: .causal
    ).output
    #expect(try output == packed(padded))
    for (b, length) in lengths.enumerated() {
      let padding = padded.selected(axis: 0, b).sliced(axis: 1, length..<64)
      #expect(padding.elements.allSatisfy { $0 == 0 }, "sequence \(b)")
    }
  }

  @Test func rowsOfNoSequenceAreZero() throws {
    let (q, k, v, sequences) = try inputs(Float.self, extraRows: 4)
    var memory = Tensor<Float>(repeating: .nan, shape: [q.shape[0], 6, 20])
    try memory.withMutableView { view throws in
      try packedScaledDotProductAttention(queries: q, keys: k, values: v, sequences: sequences, into: view)
    }
    let end = Self.queryLengths.reduce(0, +)
    #expect(memory.sliced(axis: 0, end..<end + 4).elements.allSatisfy { $0 == 0 })
    #expect(memory.elements.allSatisfy { $0.isFinite })
    let logSumExp = try packedScaledDotProductAttention(queries: q, keys: k, values: v, sequences: sequences)
      .logSumExp
    #expect(logSumExp.sliced(axis: 1, end..<end + 4).elements.allSatisfy { $0 == -.infinity })
  }

  @Test(
    arguments: [
      ([], [0], "cumulativeQueryLengths"), ([0, 2], [], "cumulativeKeyLengths"),
      ([1, 2], [0, 2], "cumulativeQueryLengths"), ([0, 3, 2], [0, 1, 2], "cumulativeQueryLengths"),
      ([0, 1, 2], [0, 3, 2], "cumulativeKeyLengths"), ([0, 1], [0, 1, 2], "cumulativeKeyLengths"),
      ([0, -1], [0, 1], "cumulativeQueryLengths"),
    ] as [([Int], [Int], String)])
  func refusesBoundaries(queries: [Int], keys: [Int], argument: String) {
    #expect {
      try PackedSequences(cumulativeQueryLengths: queries, cumulativeKeyLengths: keys)
    } throws: {
      ($0 as? AttentionError)?.argument == argument
    }
  }

  @Test func refusesWhatDoesNotFitItsTensors() throws {
    let (q, k, v, sequences) = try inputs(Float.self)
    func refusal(
      _ q: Tensor<Float>, _ k: Tensor<Float>, _ v: Tensor<Float>, _ mask: AttentionMask = .none
    ) -> String? {
      do {
        _ = try packedScaledDotProductAttention(
          queries: q, keys: k, values: v, sequences: sequences, mask: mask)
        return nil
      } catch { return error.argument }
    }
    #expect(refusal(q, k, v) == nil)
    #expect(refusal(q.sliced(axis: 0, 0..<200), k, v) == "cumulativeQueryLengths")
    #expect(refusal(q, k.sliced(axis: 0, 0..<100), v.sliced(axis: 0, 0..<100)) == "cumulativeKeyLengths")
    #expect(refusal(q, k, v.sliced(axis: 0, 0..<100)) == "values")
    #expect(refusal(q.expanded(axis: 0), k, v) == "queries")
    #expect(refusal(q, k.expanded(axis: 0), v) == "keys")
    #expect(refusal(q, k, v, .keyLengths([1, 2, 3, 4, 5])) == "mask")
    #expect(refusal(q.sliced(axis: 1, 0..<5), k, v) == "keys")
  }

  @Test(
    arguments: [
      ([1, -1], nil, "queryLengths"), ([.max, 1], nil, "queryLengths"), ([1], [-2], "keyLengths"),
      ([1], [1, 2], "cumulativeKeyLengths"),
    ] as [([Int], [Int]?, String)])
  func refusesLengths(queries: [Int], keys: [Int]?, argument: String) {
    #expect {
      try PackedSequences(queryLengths: queries, keyLengths: keys)
    } throws: {
      ($0 as? AttentionError)?.argument == argument
    }
  }

  @Test func errorsShowTheShapesThatWereGiven() throws {
    let (q, k, v, sequences) = try inputs(Float.self)
    func message(_ k: Tensor<Float>, _ v: Tensor<Float>) -> String? {
      do {
        _ = try packedScaledDotProductAttention(queries: q, keys: k, values: v, sequences: sequences)
        return nil
      } catch { return error.description }
    }
    let narrow = k.sliced(axis: 2, 0..<20)
    #expect(message(narrow, v)?.contains("shape \(narrow.shape) given") == true)
    let short = v.sliced(axis: 0, 0..<100)
    #expect(
      message(k, short)
        == "values: shape \(short.shape) given, expected [173, 2, Dv] to match keys \(k.shape)")
  }
}
