import Attention
import Testing

/// What comes from a command line or a request is refused by name, and never traps.
@Suite struct InspectionErrorTests {
  private let inspector: AttentionInspector<Float>

  init() throws {
    let (q, k, v) = ProblemShape(
      batch: 2, queryHeads: 4, keyValueHeads: 2, queries: 3, keys: 5, headDimension: 8, valueDimension: 6
    ).inputs(Float.self)
    inspector = try AttentionInspector(queries: q, keys: k, values: v)
  }

  @Test(arguments: [-1, 2, .max, .min]) func sequences(index: Int) {
    expectRefused("sequence") { () throws(AttentionError) in
      _ = try inspector.weights(sequence: index, head: 0, queries: 0..<1)
    }
    expectRefused("sequence") { () throws(AttentionError) in
      _ = try inspector.valueNorms(sequence: index, head: 0)
    }
  }

  @Test(arguments: [-1, 4, .max, .min]) func heads(index: Int) {
    expectRefused("head") { () throws(AttentionError) in
      _ = try inspector.contributionNorms(sequence: 0, head: index, queries: 0..<1)
    }
    expectRefused("head") { () throws(AttentionError) in
      _ = try inspector.contributions(sequence: 0, head: index, query: 0)
    }
  }

  @Test(arguments: [-1, 3, .max, .min]) func queries(index: Int) {
    expectRefused("query") { () throws(AttentionError) in
      _ = try inspector.contributions(sequence: 0, head: 0, query: index)
    }
  }

  @Test(arguments: [-1..<2, 0..<4, 3..<4, .max..<Int.max, .min ..< .max]) func ranges(range: Range<Int>) {
    expectRefused("queries") { () throws(AttentionError) in
      _ = try inspector.weights(sequence: 0, head: 0, queries: range)
    }
    expectRefused("queries") { () throws(AttentionError) in
      try inspector.forEachBlock(of: range) { _, _ in }
    }
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
    ] as [(Shape, Shape, String)] {
      expectRefused(argument) { () throws(AttentionError) in
        _ = try AttentionInspector(queries: q, keys: .zeros(k), values: .zeros(v))
      }
    }
  }

  private func expectRefused(
    _ argument: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws(AttentionError) -> Void
  ) {
    do throws(AttentionError) {
      try body()
      Issue.record("nothing thrown, expected an error about \(argument)", sourceLocation: sourceLocation)
    } catch {
      #expect(error.argument == argument, "\(error)", sourceLocation: sourceLocation)
    }
  }
}
