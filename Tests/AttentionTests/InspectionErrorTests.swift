import Attention
import AttentionInspection
import TestSupport
import Testing

/// What comes from a command line or a request is refused by name, and never traps.
@Suite struct InspectionErrorTests {
  private let inspector: AttentionInspector<Float>

  init() throws {
    let (q, k, v) = ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 3, keys: 5, headDimension: 8,
      valueDimension: 6
    ).inputs(Float.self)
    inspector = try AttentionInspector(ScaledDotProductAttention(), q, KeyValues(keys: k, values: v))
  }

  @Test(arguments: [-1, 2, .max, .min]) func sequences(index: Int) {
    expectRefusal(of: "sequence") {
      try inspector.weights(sequence: index, head: 0, queries: 0..<1)
    }
    expectRefusal(of: "sequence") {
      try inspector.valueNorms(sequence: index, head: 0)
    }
    expectRefusal(of: "sequence") {
      try inspector.forEachBlock(sequence: index, head: 0) { _, _ in }
    }
  }

  @Test(arguments: [-1, 4, .max, .min]) func heads(index: Int) {
    expectRefusal(of: "head") {
      try inspector.contributionNorms(sequence: 0, head: index, queries: 0..<1)
    }
    expectRefusal(of: "head") {
      try inspector.contributions(sequence: 0, head: index, query: 0)
    }
  }

  @Test(arguments: [-1, 3, .max, .min]) func queries(index: Int) {
    expectRefusal(of: "query") {
      try inspector.contributions(sequence: 0, head: 0, query: index)
    }
  }

  @Test(arguments: [-1..<2, 0..<4, 3..<4, .max..<Int.max, .min ..< .max]) func ranges(range: Range<Int>) {
    expectRefusal(of: "queries") {
      try inspector.weights(sequence: 0, head: 0, queries: range)
    }
    expectRefusal(of: "queries") {
      try inspector.forEachBlock(sequence: 0, head: 0, queries: range) { _, _ in }
    }
  }

  @Test(arguments: [-1..<1, 2..<5, 4..<5, .max..<Int.max, .min ..< .max]) func summaries(range: Range<Int>) {
    expectRefusal(of: "heads") { try inspector.summaries(heads: range) }
    expectRefusal(of: "sequences") { try inspector.summaries(sequences: range) }
  }

  @Test func emptyRangesAreFine() throws {
    #expect(try inspector.weights(sequence: 1, head: 3, queries: 3..<3).shape == [0, 5])
  }

  @Test func shapesThatDoNotFit() throws {
    let q = Tensor<Float>.zeros([1, 2, 3, 4])
    for (k, v, argument) in [
      ([1, 2, 3, 5], [1, 2, 3, 4], "keys"), ([1, 2, 3, 4], [1, 2, 4, 4], "values"),
      ([1, 2, 3, 4], [1, 1, 3, 4], "values"), ([1, 2, 3, 4], [2, 2, 3, 4], "values"),
      ([1, 2, 3, 4], [1, 2, 3, 0], "values"), ([1, 2, 3, 4], [1, 2, 3], "values"),
      ([1, 2, 3, 0], [1, 2, 3, 4], "keys"), ([1, 2, 3], [1, 2, 3, 4], "keys"),
      ([1, 0, 3, 4], [1, 0, 3, 4], "keys"),
    ] as [(Shape, Shape, String)] {
      expectRefusal(of: argument) {
        try AttentionInspector(
          ScaledDotProductAttention(), q,
          KeyValues(keys: Tensor<Float>.zeros(k), values: Tensor<Float>.zeros(v)))
      }
    }
  }

  /// What attention refuses, its inspector refuses under the same name.
  @Test func whatAttentionRefuses() throws {
    let (q, k) = (Tensor<Float>.zeros([1, 2, 3, 4]), Tensor<Float>.zeros([1, 2, 5, 4]))
    let wide = try Tensor<Float>.zeros([1, 1, 1, 1]).broadcast(to: [1, 2, 5, (1 << 21) + 1])
    let keyValues = KeyValues(keys: k, values: k)
    func refuse(
      _ argument: String, _ queries: Queries<Float>, _ keyValues: KeyValues,
      _ attention: ScaledDotProductAttention = ScaledDotProductAttention()
    ) {
      expectRefusal(of: argument) { try AttentionInspector(attention, queries, keyValues) }
      expectRefusal(of: argument) { try attention(queries, keyValues) }
    }
    refuse("values", q.queries, KeyValues(keys: k, values: wide))
    refuse("queries", q.selected(axis: 0, 0).queries, keyValues)
    refuse("lengths", .padded(q, lengths: [4]), keyValues)
    refuse("lengths", q.queries, KeyValues(keys: k, values: k, lengths: [6]))
    refuse("scale", q.queries, keyValues, ScaledDotProductAttention(scale: .nan))
    refuse("mask", q.queries, keyValues, ScaledDotProductAttention(mask: .window(left: -1)))
    refuse("softcap", q.queries, keyValues, ScaledDotProductAttention(options: AttentionOptions(softcap: -1)))
    refuse("sinks", q.queries, keyValues, ScaledDotProductAttention(options: AttentionOptions(sinks: [0])))
  }

  @Test func resultsBeyondMemory() throws {
    let most = Int(Int32.max)
    let one = Tensor<Float>.zeros([1, 1, 1, 1])
    let long = try AttentionInspector(
      ScaledDotProductAttention(), one,
      KeyValues(keys: one.broadcast(to: [1, 1, most, 1]), values: one.broadcast(to: [1, 1, most, 1 << 21])))
    expectRefusal(of: "values") {
      try long.contributions(sequence: 0, head: 0, query: 0)
    }
    // As many heads and sequences as an axis can have, and not a token.
    let empty = Tensor<Float>.zeros([most, most, 0, 1])
    let many = try AttentionInspector(
      ScaledDotProductAttention(), empty, KeyValues(keys: empty, values: empty))
    expectRefusal(of: "heads") { try many.summaries() }
    let last = most - 1..<most
    let summary = try #require(try many.summaries(sequences: last, heads: last).first)
    #expect(summary.sequence == most - 1 && summary.head == most - 1 && summary.attendingQueries == 0)
    #expect(try many.summaries(heads: 0..<0).isEmpty && many.summaries(sequences: 0..<0).isEmpty)
  }

  @Test func headsOfNothing() throws {
    for (queryHeads, keyValueHeads) in [(0, 0), (0, 2)] {
      let k = Tensor<Float>.zeros([1, keyValueHeads, 2, 4])
      let inspector = try AttentionInspector(
        ScaledDotProductAttention(), Tensor<Float>.zeros([1, queryHeads, 2, 4]), KeyValues(keys: k, values: k)
      )
      #expect(inspector.keyValueHead(of: 3) == 3, "\(queryHeads) on \(keyValueHeads)")
      #expect(try inspector.summaries().isEmpty)
    }
    #expect((0..<4).map { inspector.keyValueHead(of: $0) } == [0, 0, 1, 1])
  }
}
