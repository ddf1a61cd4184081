import Attention
import TestSupport
import Testing

/// What is at the edge of attention within a tolerance: what is refused, rows that see nothing, queries that are no numbers.
@Suite struct BoundedEdgeTests {
  private let inputs = CachedInputs(300, heads: HeadCounts(query: 4, keyValue: 2), depth: 32)

  private func step(
    keys: KeyValueType = .planes, append: Int = 2
  ) throws -> KeyValueStep {
    let pool = try inputs.pool(CachedTypes(keys: keys, values: .int8), pageSize: 64, pages: 8)
    let sequence = pool.makeSequence()
    try inputs.append(0..<inputs.count - append, to: sequence)
    let step = try KeyValueStep([sequence], appending: [append])
    try inputs.write(inputs.count - append..<inputs.count, step)
    return step
  }

  private func queries(_ count: Int) -> Tensor<Float> {
    inputs.queries.sliced(axis: 0, inputs.count - count..<inputs.count)
  }

  @Test func refusesWhatHasNoBound() throws {
    let attend = ScaledDotProductAttention(mask: .causal)
    func refusal(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "none"
      } catch { return "\(error)" }
    }
    let view = try step().keyValues(layer: 0)
    for tolerance in [-0.1, .infinity, .nan] {
      let text = refusal { _ = try attend.within(tolerance, .packed(queries(2), lengths: [2]), view) }
      #expect(text == "tolerance: \(tolerance) given, expected a finite number from 0 on")
    }
    for type in KeyValueType.allCases where type != .planes && type != .int4 {
      let other = try step(keys: type).keyValues(layer: 0)
      let text = refusal { _ = try attend.within(0.01, .packed(queries(2), lengths: [2]), other) }
      #expect(text == "keyValues: keys of \(type) given, expected keys of planes")
    }
    let doubles = queries(2).converted(to: Double.self)
    #expect(
      refusal { _ = try attend.within(0.01, .packed(doubles, lengths: [2]), view) }
        == "queries: float64 given, expected float32, bfloat16 or float16")
    let exact = ScaledDotProductAttention(
      mask: .causal, options: AttentionOptions(softmaxPrecision: .float64))
    #expect(
      refusal { _ = try exact.within(0.01, .packed(queries(2), lengths: [2]), view) }
        == "softmaxPrecision: float64 given, expected float32")
    var output = Tensor<Float>.zeros([2, 4, 32])
    var bounds = Tensor<Float>.zeros([2, 4])
    let text = refusal {
      try output.withMutableView { output in
        try bounds.withMutableView {
          _ = try attend.write(
            within: 0.01, .packed(queries(2), lengths: [2]), view, to: output, bounds: $0)
        }
      }
    }
    #expect(text == "bounds: shape [2, 4] given, expected [4, 2]")
    #expect(
      refusal { _ = try inputs.pool(CachedTypes(keys: .int8, values: .planes), pageSize: 1, pages: 1) }
        == "values: planes given, expected float32, bfloat16, float16, int8 or int4: planes are for keys only"
    )
  }

  /// NaN, infinity, and numbers whose rounding to integers would not be exact: those rows, and no others, come out as they must.
  @Test(arguments: [Float.nan, .infinity, 1e-38, 1e-45, 3e38]) func queriesThatAreNoIntegers(number: Float)
    throws
  {
    let attend = ScaledDotProductAttention(mask: .causal, on: Pools.two)
    let view = try step().keyValues(layer: 0)
    var odd = queries(2)
    // One number that is large, or a row of tiny ones.
    for column in 0..<(number < 1 ? 32 : 1) { odd[0, 2, column] = number }
    let usual = try attend.within(0.01, .packed(queries(2), lengths: [2]), view)
    let result = try attend.within(0.01, .packed(odd, lengths: [2]), view)
    let exact = try attend(.packed(odd, lengths: [2]), view)
    for head in 0..<4 {
      for query in 0..<2 {
        let bound = result.bounds[head, query]
        if head != 2 || query != 0 {
          #expect(bound <= 0.01)
          if head < 2 { #expect(bound == usual.bounds[head, query]) }
        } else if !number.isFinite || number > 1 {
          #expect(bound > 0.01)
        }
        for column in 0..<32 {
          let (a, b) = (result.output[query, head, column], exact[query, head, column])
          #expect(
            a.isNaN == b.isNaN && (a.isNaN || abs(a - b) <= max(bound, 0.0001) * 4), "\(query), \(head)")
        }
      }
    }
  }

  @Test func rowsThatSeeNothingAreZeroAndExact() throws {
    let attend = try ScaledDotProductAttention(mask: .boolean(Tensor([false, true], shape: [2, 1])))
    let view = try step().keyValues(layer: 0)
    let result = try attend.within(0.01, .packed(queries(2), lengths: [2]), view)
    for head in 0..<4 {
      #expect(result.bounds[head, 0] < 0.0002)
      #expect(
        result.output.sliced(axis: 0, 0..<1).sliced(axis: 1, head..<head + 1).elements.allSatisfy { $0 == 0 })
      #expect(result.bounds[head, 1] > 0 && result.bounds[head, 1] <= 0.01)
    }
    let empty = try KeyValueStep(
      [inputs.pool(CachedTypes(keys: .planes, values: .int8), pageSize: 4, pages: 1).makeSequence()],
      appending: [0])
    let nothing = try ScaledDotProductAttention().within(
      0.01, .packed(queries(2), lengths: [2]), empty.keyValues(layer: 0))
    #expect(nothing.output.elements.allSatisfy { $0 == 0 })
    #expect(nothing.bounds.elements.allSatisfy { $0 == 0 })
    #expect(nothing.lowByteReads == LowByteReads())
    #expect(nothing.lowByteReads.share == 0)
  }

  @Test func paddedQueriesOfNoSequenceAreZero() throws {
    let padded = try queries(2).permuted(1, 0, 2).expanded(axis: 0).concatenated(
      with: Tensor<Float>(repeating: .nan, shape: [1, 4, 1, 32]), axis: 2)
    let attend = ScaledDotProductAttention(mask: .causal)
    let view = try step().keyValues(layer: 0)
    let result = try attend.within(0.01, .padded(padded, lengths: [2]), view)
    let packed = try attend.within(0.01, .packed(queries(2), lengths: [2]), view)
    #expect(result.output.sliced(axis: 2, 2..<3).elements.allSatisfy { $0 == 0 })
    #expect(result.bounds.sliced(axis: 2, 2..<3).elements.allSatisfy { $0 == 0 })
    #expect(
      result.output.sliced(axis: 2, 0..<2).elements
        == packed.output.permuted(1, 0, 2).expanded(axis: 0).elements)
  }

  /// Half-precision queries lose nothing as integers; the output is rounded once more.
  @Test func halfPrecisionQueries() throws {
    let attend = ScaledDotProductAttention(mask: .causal)
    let view = try step().keyValues(layer: 0)
    func check<Element: AttentionElement>(_: Element.Type, roundoff: Float) throws {
      let narrow = queries(2).converted(to: Element.self)
      let exact = try attend(.packed(narrow.converted(to: Float.self), lengths: [2]), view)
      for tolerance in [0.001, 0.01] {
        let result = try attend.within(tolerance, .packed(narrow, lengths: [2]), view)
        #expect(result.bounds.elements.allSatisfy { $0 > 0 && $0 <= Float(tolerance) })
        let largest = try CachedTypes.stored(inputs.values, .int8).elements.map(\.magnitude).max()!
        for head in 0..<4 {
          for query in 0..<2 {
            for column in 0..<32 {
              let expected = exact[query, head, column]
              let error = abs(Float(result.output[query, head, column].doubleValue) - expected)
              #expect(error <= result.bounds[head, query] * largest + roundoff * abs(expected))
            }
          }
        }
      }
    }
    try check(BFloat16.self, roundoff: 0x1p-8)
    try check(Float16.self, roundoff: 0x1p-10)
  }

  @Test func modifiersReadEverything() throws {
    let twice = ScoreModifier { score, _ in 2 * score }
    let view = try step().keyValues(layer: 0)
    let attend = ScaledDotProductAttention(mask: .causal & .modifier(twice))
    let result = try attend.within(0.5, .packed(queries(2), lengths: [2]), view)
    #expect(result.lowByteReads.read == result.lowByteReads.seen)
    #expect(result.bounds.elements.allSatisfy { $0 == .infinity })
    let exact = try attend(.packed(queries(2), lengths: [2]), view)
    for (a, b) in zip(exact.elements, result.output.elements) { #expect(abs(a - b) < 1e-5) }
  }

  /// Room that a ring gave to other rows.
  @Test func rings() throws {
    let pool = try inputs.pool(CachedTypes(keys: .planes, values: .int8), pageSize: 16, pages: 40)
    let ring = try pool.makeSequence(window: 100, keepingFirst: 4, longestAppend: 30)
    for first in stride(from: 0, to: 300, by: 30) { try inputs.append(first..<first + 30, to: ring) }
    let attend = ScaledDotProductAttention(mask: .window(left: 99, keepingFirst: 4) & .causal)
    let view = try ring.view.keyValues(layer: 0)
    let exact = try attend(.packed(queries(1), lengths: [1]), view)
    let result = try attend.within(0.01, .packed(queries(1), lengths: [1]), view)
    #expect(result.bounds.elements.allSatisfy { $0 > 0 && $0 <= 0.01 })
    #expect(result.lowByteReads.share > 0 && result.lowByteReads.share < 1)
    let largest = try CachedTypes.stored(inputs.values, .int8).elements.map(\.magnitude).max()!
    for head in 0..<4 {
      for column in 0..<32 {
        let error = abs(exact[0, head, column] - result.output[0, head, column])
        #expect(error <= result.bounds[head, 0] * largest, "head \(head)")
      }
    }
  }

  /// A rule of a user may leave a query between others nothing, or keys that do not follow from its place.
  @Test(arguments: [nil, 5.0]) func rulesThatJump(softcap: Double?) throws {
    struct Jumping: KeyRangeRule {
      var description: String { "jumping" }
      func visibleKeys(of query: QueryPlace) -> Range<Int> {
        switch query.query % 3 {
        case 0: 0..<40
        case 1: 5000..<5000
        default: 30..<290
        }
      }
    }
    let attend = ScaledDotProductAttention(
      mask: .keyRange(Jumping()), options: AttentionOptions(softcap: softcap), on: Pools.two)
    let view = try step(append: 12).keyValues(layer: 0)
    let exact = try attend(.packed(queries(12), lengths: [12]), view)
    let result = try attend.within(0.01, .packed(queries(12), lengths: [12]), view)
    let largest = try CachedTypes.stored(inputs.values, .int8).elements.map(\.magnitude).max()!
    for query in 0..<12 {
      for head in 0..<4 {
        #expect(result.bounds[head, query] <= 0.01 && (query % 3 != 1 || result.bounds[head, query] == 0))
        for column in 0..<32 {
          let error = abs(exact[query, head, column] - result.output[query, head, column])
          #expect(error <= result.bounds[head, query] * largest, "query \(query), head \(head)")
        }
      }
    }
  }

  /// Scores so large that no bound is known are those of both planes all the same.
  @Test func hugeScoresAreExact() throws {
    let view = try step().keyValues(layer: 0)
    let attend = ScaledDotProductAttention(scale: 1e9, mask: .causal)
    let exact = try attend(.packed(queries(2), lengths: [2]), view)
    let result = try attend.within(0, .packed(queries(2), lengths: [2]), view)
    #expect(result.lowByteReads.read == result.lowByteReads.seen)
    for (a, b) in zip(exact.elements, result.output.elements) { #expect(abs(a - b) < 1e-3) }
  }
}
