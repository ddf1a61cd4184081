import Attention
import AttentionInspection
import AttentionReference
import TestSupport
import Testing

/// Weights, contributions and their norms, held against the Float64 oracle.
///
/// Weights are the outputs for values that are unit vectors, so the output's tolerance is theirs: 2e-6 for Float32, 4e-15
/// for Float64 (``expectMatchesOracle(_:_:scale:_:_:sourceLocation:)`` says why).
@Suite struct InspectionTests {
  static let shapes = [
    ProblemShape(queries: 7, keys: 5, headDimension: 3, valueDimension: 2),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 9, keys: 21, headDimension: 16,
      valueDimension: 6),
    ProblemShape(
      batch: 3, heads: HeadCounts(query: 3, keyValue: 1), queries: 12, keys: 8, headDimension: 4,
      valueDimension: 5),
  ]

  /// 2e-6 for Float, 4e-15 for Double.
  private static func tolerance<E: AttentionElement>(_: E.Type) -> Double {
    E.Accumulator.elementType == .float64 ? 4e-15 : 2e-6
  }

  private func expectWeightsMatchOracle<E: AttentionElement>(
    _: E.Type, _ shape: ProblemShape, _ mask: MaskCase
  ) throws {
    let (q, k, v) = shape.inputs(E.self)
    let (rule, rules) = mask.make(shape)
    var inspector = try AttentionInspector(
      ScaledDotProductAttention(mask: rule), q, mask.keyValues((q, k, v), shape))
    // Blocks of two rows: every block boundary of the range is met.
    inspector.blockByteCount = 2 * shape.keys * E.Accumulator.elementType.byteCount
    let oracle = AttentionOracle(
      queries: q, keys: k, values: v, rules: ScoreRules(isVisible: rules.isVisible, bias: rules.bias))
    let rows = 1..<shape.queries
    for sequence in 0..<shape.batch {
      for head in 0..<shape.heads.query {
        func check(_ queries: Range<Int>, _ weights: Tensor<E.Accumulator>) {
          #expect(weights.shape == [queries.count, shape.keys])
          for query in queries {
            let expected = oracle.weights(sequence: sequence, head: head, query: query)
            let worst =
              (0..<shape.keys).map {
                abs(weights[query - queries.lowerBound, $0].doubleValue - expected[$0])
              }.max() ?? 0
            #expect(
              worst <= Self.tolerance(E.self),
              "\(E.self) \(shape) \(mask), sequence \(sequence) head \(head) query \(query) of \(queries)")
          }
        }
        check(rows, try inspector.weights(sequence: sequence, head: head, queries: rows))
        try inspector.forEachBlock(sequence: sequence, head: head, queries: rows, check)
      }
    }
  }

  @Test(arguments: shapes, MaskCase.all) func weightsAreTheOracles(shape: ProblemShape, mask: MaskCase) throws
  {
    try expectWeightsMatchOracle(Float.self, shape, mask)
    try expectWeightsMatchOracle(Double.self, shape, mask)
  }

  @Test func halfPrecisionWeightsAreFloats() throws {
    try expectWeightsMatchOracle(Float16.self, Self.shapes[1], MaskCase.all[0])
    try expectWeightsMatchOracle(BFloat16.self, Self.shapes[1], MaskCase.all[0])
  }

  private func expectContributionsAddUp<E: AttentionElement>(
    _: E.Type, _ shape: ProblemShape, _ mask: MaskCase
  ) throws {
    let (q, k, v) = shape.inputs(E.self)
    let rule = mask.make(shape).mask
    let inspector = try AttentionInspector(
      ScaledDotProductAttention(mask: rule), q, mask.keyValues((q, k, v), shape))
    let output = try ScaledDotProductAttention(mask: rule)(q, mask.keyValues((q, k, v), shape))
    for sequence in 0..<shape.batch {
      for head in 0..<shape.heads.query {
        let norms = try inspector.contributionNorms(
          sequence: sequence, head: head, queries: 0..<shape.queries)
        for query in 0..<shape.queries {
          let parts = try inspector.contributions(sequence: sequence, head: head, query: query)
          #expect(parts.shape == [shape.keys, shape.valueDimension])
          for column in 0..<shape.valueDimension {
            let sum = (0..<shape.keys).reduce(0) { $0 + parts[$1, column].doubleValue }
            let expected = output[sequence, head, query, column].doubleValue
            // Each of the two may be off by the output's tolerance.
            #expect(
              abs(sum - expected) <= 2 * Self.tolerance(E.self),
              "\(E.self) \(shape) \(mask), [\(sequence), \(head), \(query), \(column)]")
          }
          for key in 0..<shape.keys {
            let squares = (0..<shape.valueDimension).map { parts[key, $0].doubleValue }.map { $0 * $0 }
            let expected = squares.reduce(0, +).squareRoot()
            // A part's elements and the norm are each rounded once or twice: a few steps of their type.
            let step = E.Accumulator.elementType == .float64 ? 0x1p-52 : 0x1p-23
            #expect(
              abs(norms[query, key].doubleValue - expected) <= 4 * step * expected + .leastNormalMagnitude,
              "\(E.self) \(shape) \(mask), norm [\(sequence), \(head), \(query), \(key)]")
          }
        }
      }
    }
  }

  @Test(arguments: shapes, MaskCase.all) func contributionsAddUpToTheOutput(
    shape: ProblemShape, mask: MaskCase
  ) throws {
    try expectContributionsAddUp(Float.self, shape, mask)
    try expectContributionsAddUp(Double.self, shape, mask)
  }

  @Test func whatIsNotSeenContributesNothing() throws {
    let shape = ProblemShape(queries: 3, keys: 4, headDimension: 2, valueDimension: 2)
    var (q, k, v) = shape.inputs(Float.self)
    for column in 0..<2 {
      k[0, 0, 3, column] = .nan
      v[0, 0, 3, column] = .infinity
    }
    q[0, 1, 2, 0] = .nan
    let inspector = try AttentionInspector(
      ScaledDotProductAttention(), q, KeyValues(keys: k, values: v, lengths: [3]))
    let parts = try inspector.contributions(sequence: 0, head: 0, query: 1)
    #expect(parts[3, 0] == 0 && parts[3, 1] == 0)
    #expect(parts.elements.allSatisfy { $0.isFinite })
    let norms = try inspector.contributionNorms(sequence: 0, head: 0, queries: 0..<3)
    #expect((0..<3).allSatisfy { norms[$0, 3] == 0 })
    // NaN in a query is not hidden, and stays in its row.
    let weights = try inspector.weights(sequence: 0, head: 1, queries: 0..<3)
    #expect((0..<3).allSatisfy { weights[2, $0].isNaN } && (0..<3).allSatisfy { weights[1, $0].isFinite })
  }

  @Test func normsDoNotOverflowOnTheWay() throws {
    let v = try Tensor<Double>(
      [3e200, 4e200, 3e-200, -4e-200, 0, 0, .infinity, 1, .nan, 1], shape: [1, 1, 5, 2])
    let inspector = try AttentionInspector(
      ScaledDotProductAttention(), Tensor<Double>.zeros([1, 1, 1, 1]),
      KeyValues(keys: Tensor<Double>.zeros([1, 1, 5, 1]), values: v))
    let norms = try inspector.valueNorms(sequence: 0, head: 0)
    #expect(abs(norms[0] / 5e200 - 1) < 1e-15 && abs(norms[1] / 5e-200 - 1) < 1e-15)
    #expect(norms[2] == 0 && norms[3] == .infinity && norms[4].isNaN)
  }

  @Test func blocksCoverTheRangeInOrder() throws {
    let shape = Self.shapes[1]
    let (q, k, v) = shape.inputs(Float.self)
    var inspector = try AttentionInspector(ScaledDotProductAttention(), q, KeyValues(keys: k, values: v))
    inspector.blockByteCount = 4 * shape.keys * 4
    var blocks: [Range<Int>] = []
    var shapes: [Shape] = []
    try inspector.forEachBlock(sequence: 1, head: 2, queries: 0..<9) { block, weights in
      blocks.append(block)
      shapes.append(weights.shape)
    }
    #expect(blocks == [0..<4, 4..<8, 8..<9])
    #expect(shapes == [[4, 21], [4, 21], [1, 21]])
    // A row that takes more than a block may have still comes alone.
    inspector.blockByteCount = 1
    var count = 0
    try inspector.forEachBlock(sequence: 0, head: 0) { block, _ in count += block.count == 1 ? 1 : 0 }
    #expect(count == shape.queries)
  }
}
