import Attention
import AttentionReference
import Foundation
import TestSupport
import Testing

/// Scores at each stage against their definition in Double, and weights against the oracle.
@Suite struct AttentionScoresTests {
  @Test(arguments: MaskCase.all) func weightsAreTheOracles(mask: MaskCase) throws {
    for shape in ProblemShape.grid {
      try checkWeights(shape, mask, Float.self, Tolerance(absolute: 1e-6))
      try checkWeights(shape, mask, Double.self, Tolerance(absolute: 2e-15))
    }
  }

  private func checkWeights<E: AttentionElement>(
    _ shape: ProblemShape, _ mask: MaskCase, _: E.Type, _ tolerance: Tolerance
  ) throws {
    let (q, k, v) = shape.inputs(E.self)
    let (composed, rules) = mask.make(shape)
    let oracle = AttentionOracle(
      queries: q, keys: k, values: v, rules: ScoreRules(isVisible: rules.isVisible, bias: rules.bias))
    let rows = (0..<shape.batch * shape.heads.query * shape.queries).map { row in
      let (head, query) = row.quotientAndRemainder(dividingBy: shape.queries)
      let (b, h) = head.quotientAndRemainder(dividingBy: shape.heads.query)
      return (b, h, query, oracle.weights(sequence: b, head: h, query: query))
    }
    // How attention multiplies makes no difference here: each instruction set once.
    for variant in ForcedVariant.all where variant.kernel == .gemm && variant.usesSmallProducts == false {
      let weights = try ScaledDotProductAttention(mask: composed, on: Pools.two).scores(
        q, mask.keyValues((q, k, v), shape), stage: .weights, forcing: variant)
      // What is hidden weighs nothing at all.
      let wrong = rows.lazy.flatMap { b, h, i, expected in
        expected.indices.lazy.filter { j in
          let (actual, isHidden) = (weights[b, h, i, j].doubleValue, rules.bias(b, h, i, j) == -.infinity)
          return isHidden ? actual != 0 : !tolerance.accepts(actual, expected: expected[j])
        }.map { [b, h, i, $0] }
      }.first
      #expect(wrong == nil, "\(mask) \(shape) \(variant.set)")
    }
  }

  private static let large: [ProblemShape] = [
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 6, keyValue: 2), queries: 40, keys: 700, headDimension: 16,
      valueDimension: 4),
    ProblemShape(
      batch: 3, heads: HeadCounts(query: 4, keyValue: 2), queries: 512, keys: 512, headDimension: 64,
      valueDimension: 4
    ),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 2, keyValue: 1), queries: 33, keys: 1500, headDimension: 128,
      valueDimension: 4),
  ]

  @Test(arguments: large) func rowsAreThoseOfTheWhole(shape: ProblemShape) throws {
    let (q, k, _) = shape.inputs(Float.self)
    let sinks = (0..<shape.heads.query).map { Double($0) - 2 }
    for stage in ScoreStage.allCases {
      let options = AttentionOptions(softcap: 3, sinks: sinks)
      let whole = try ScaledDotProductAttention(mask: .causal, options: options).scores(
        q, KeyValues(keys: k, values: k), stage: stage)
      let last = shape.queries
      for rows in [0..<last, 5..<6, 7..<20, last - 1..<last, 12..<12] {
        let part = try ScaledDotProductAttention(mask: .causal, options: options, on: Pools.three).scores(
          q, KeyValues(keys: k, values: k), stage: stage, rows: rows)
        #expect(part == whole.sliced(axis: 2, rows), "\(shape) \(stage) \(rows)")
      }
    }
  }

  @Test(arguments: large) func aSequenceIsAsIfAlone(shape: ProblemShape) throws {
    let (q, k, _) = shape.inputs(Float.self)
    let queryLengths = (0..<shape.batch).map { shape.queries - 9 * $0 }
    let keyLengths = (0..<shape.batch).map { shape.keys - 77 * $0 }
    for stage in [ScoreStage.biased, .weights] {
      let together = try ScaledDotProductAttention(mask: .causal).scores(
        .padded(q, lengths: queryLengths), KeyValues(keys: k, values: k, lengths: keyLengths), stage: stage)
      for b in 0..<shape.batch {
        let ownQueries = q.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<queryLengths[b]).contiguousCopy()
        let ownKeys = k.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<keyLengths[b]).contiguousCopy()
        let alone = try ScaledDotProductAttention(mask: .causal).scores(
          ownQueries, KeyValues(keys: ownKeys, values: ownKeys), stage: stage)
        let scores = together.sliced(axis: 0, b..<b + 1)
        let own = scores.sliced(axis: 2, 0..<queryLengths[b]).sliced(axis: 3, 0..<keyLengths[b])
        #expect(own == alone, "\(shape) \(stage) sequence \(b)")
        let hidden: Float = stage == .biased ? -.infinity : 0
        let pastKeys = scores.sliced(axis: 3, keyLengths[b]..<shape.keys)
        let pastQueries = scores.sliced(axis: 2, queryLengths[b]..<shape.queries)
        #expect(pastKeys.elements.allSatisfy { $0 == hidden }, "\(shape) \(stage) sequence \(b)")
        #expect(pastQueries.elements.allSatisfy { $0 == hidden }, "\(shape) \(stage) sequence \(b)")
      }
    }
  }

  @Test func stagesAreWhatTheySay() throws {
    let shape = ProblemShape(queries: 6, keys: 9, headDimension: 5, valueDimension: 1)
    let (q, k, _) = shape.inputs(Double.self)
    let bias = Tensor<Double>.normal([6, 9], seed: 9)
    let mask = AttentionMask.causal & .additive(bias) & .alibi(slopes: [0.5, 0.25])
    let options = AttentionOptions(softcap: 1.5)
    func scores(_ stage: ScoreStage) throws -> Tensor<Double> {
      try ScaledDotProductAttention(scale: 0.3, mask: mask, options: options).scores(
        q, KeyValues(keys: k, values: k), stage: stage)
    }
    let (scaled, capped, biased) = try (scores(.scaled), scores(.softcapped), scores(.biased))
    for h in 0..<2 {
      for i in 0..<6 {
        for j in 0..<9 {
          let product = (0..<5).reduce(0) { $0 + q[0, h, i, $1] * k[0, h, j, $1] }
          let score = 0.3 * product
          let cap = 1.5 * tanh(score / 1.5)
          let slope = [0.5, 0.25][h]
          let sum = cap + bias[i, j] - slope * Double(abs(i + 3 - j))
          // A few roundings of numbers below 16.
          let tolerance = Tolerance(absolute: 1e-14)
          #expect(tolerance.accepts(scaled[0, h, i, j], expected: score))
          #expect(tolerance.accepts(capped[0, h, i, j], expected: cap))
          #expect(tolerance.accepts(biased[0, h, i, j], expected: j <= i + 3 ? sum : -.infinity))
        }
      }
    }
  }

  @Test func infiniteScoresAndSinksWeighAsTheOracleSays() throws {
    var q = Tensor<Float>.normal([1, 2, 5, 4], seed: 1)
    var k = Tensor<Float>.normal([1, 1, 7, 4], seed: 2)
    q[0, 0, 1, 0] = .infinity
    q[0, 1, 2, 3] = .nan
    k[0, 0, 3, 2] = 3e38
    k[0, 0, 6, 1] = .nan
    let mask = AttentionMask.causal
    for sinks in [nil, [0.5, .infinity], [1e4, -1e4], [.nan, -.infinity]] as [[Double]?] {
      let options = AttentionOptions(sinks: sinks)
      let weights = try ScaledDotProductAttention(mask: mask, options: options).scores(
        q, KeyValues(keys: k, values: k, lengths: [6]))
      let oracle = AttentionOracle(
        queries: q, keys: k, values: k,
        rules: ScoreRules(sinks: sinks, isVisible: { $3 < 6 && $3 <= $2 + 1 }))
      for h in 0..<2 {
        for i in 0..<5 {
          for (j, weight) in oracle.weights(sequence: 0, head: h, query: i).enumerated() {
            let actual = Double(weights[0, h, i, j])
            #expect(
              Tolerance(absolute: 1e-6).accepts(actual, expected: weight),
              "sinks \(sinks ?? []) at \(h) \(i) \(j): \(actual), \(weight)")
          }
        }
      }
    }
  }

  @Test func refusesRowsThatAreNotThere() {
    let q = Tensor<Float>.zeros([1, 1, 3, 2])
    for rows in [-1..<1, 0..<4, 4..<4] {
      expectRefusal(of: "rows") {
        try ScaledDotProductAttention().scores(q, KeyValues(keys: q, values: q), rows: rows)
      }
    }
  }

  @Test func refusesMatricesThatNoMemoryHolds() throws {
    let q = try Tensor<Float>.zeros([1, 1, 1, 2]).broadcast(to: [1, 1, 1 << 30, 2])
    #expect(throws: AttentionError.self) {
      try ScaledDotProductAttention().scores(q, KeyValues(keys: q, values: q))
    }
    let few = q.sliced(axis: 2, 0..<3)
    let scores = try ScaledDotProductAttention().scores(q, KeyValues(keys: few, values: few), rows: 5..<6)
    #expect(scores.shape == [1, 1, 1, 3])
  }
}
