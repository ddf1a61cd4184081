import Attention
import AttentionReference
import Foundation
import TestSupport
import Testing

/// Softcap, sinks, ALiBi, modifiers and precision against the oracle; their edges and errors.
@Suite struct ScoreRulesTests {
  private let shape = ProblemShape(
    batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 37, keys: 150, headDimension: 16,
    valueDimension: 12)

  /// Under a causal mask beside that of the case.
  private func check<E: AttentionElement>(
    _: E.Type, _ scores: ScoreCase, scale: Double? = nil, _ context: String
  ) throws {
    let (q, k, v) = shape.inputs(E.self)
    var rules = scores.rules(scale: scale)
    rules.isVisible = { $3 <= $2 + 113 }
    let oracle = AttentionOracle(queries: q, keys: k, values: v, rules: rules).all()
    // The widest rounding of what is stored, beside the arithmetic's: outputs stay below 4.
    let tolerance: Tolerance =
      switch E.elementType {
      case .float64: Tolerance(absolute: 1e-14)
      case .float32: .unitVarianceFloat
      default: Tolerance(absolute: E.elementType == .float16 ? 0x1p-9 : 0x1p-6)
      }
    var runs = KernelRuns()
    for variant in ForcedVariant.all {
      let duty = KernelDuty(
        kernel: variant.kernel, isDouble: E.elementType == .float64, demand: scores.demand,
        width: shape.headDimension)
      let result = try variant.result(ifDue: duty, "\(context) \(E.self) \(variant)") {
        () throws(AttentionError) in
        try ScaledDotProductAttention(
          scale: scale, mask: scores.mask & .causal, options: scores.options, on: Pools.two
        ).withLogSumExp(q, KeyValues(keys: k, values: v), forcing: variant)
      }
      guard let result else { continue }
      runs.add(variant, E.elementType)
      let mismatch = tolerance.worstMismatch(result.output, expected: oracle.output)
      #expect(mismatch == nil, "\(context) \(E.self) \(variant)")
      let sums = Tolerance(relative: 1e-6, absolute: 2e-6)
      let sumMismatch = sums.worstMismatch(result.logSumExp, expected: oracle.logSumExp)
      #expect(sumMismatch == nil, "log-sum-exp \(context) \(E.self) \(variant)")
    }
    runs.expect(1, of: ForcedVariant.all, [E.elementType], demand: scores.demand, context)
  }

  private func checkAllTypes(_ scores: ScoreCase, _ context: String) throws {
    try check(Float.self, scores, context)
    try check(Double.self, scores, context)
    try check(Float16.self, scores, context)
    try check(BFloat16.self, scores, context)
  }

  @Test(arguments: [0, 0.5, 2, 30, 1e6]) func softcapBoundsScores(softcap: Double) throws {
    try checkAllTypes(ScoreCase(options: AttentionOptions(softcap: softcap)), "softcap \(softcap)")
  }

  @Test func softcapKeepsHugeScoresApartFromInfinity() throws {
    try check(Float.self, ScoreCase(options: AttentionOptions(softcap: 5)), scale: 1e30, "huge scores")
  }

  @Test(arguments: [[0, 0, 0, 0], [1, -3, 20, -.infinity], [-1e4, 1e4, 88, 89]] as [[Double]])
  func sinksTakeTheirShare(sinks: [Double]) throws {
    try checkAllTypes(ScoreCase(options: AttentionOptions(sinks: sinks)), "sinks \(sinks)")
  }

  @Test func alibiCountsDistances() throws {
    let slopes = AttentionMask.alibiSlopes(heads: 4)
    try checkAllTypes(
      ScoreCase(
        mask: .alibi(slopes: slopes), bias: { _, h, i, j in -slopes[h] * Double(abs(i + 113 - j)) }),
      "ALiBi")
    try checkAllTypes(
      ScoreCase(
        mask: .alibi(slopes: slopes) & .alibi(slopes: [0, 1, 0, -0.125]),
        bias: { _, h, i, j in -(slopes[h] + [0, 1, 0, -0.125][h]) * Double(abs(i + 113 - j)) }),
      "two ALiBi rules")
  }

  @Test func slopesAreThePapers() {
    #expect(AttentionMask.alibiSlopes(heads: 8) == (1...8).map { exp2(-Double($0)) })
    #expect(AttentionMask.alibiSlopes(heads: 1) == [exp2(-8)])
    let twelve = AttentionMask.alibiSlopes(heads: 12)
    #expect(Array(twelve.prefix(8)) == (1...8).map { exp2(-Double($0)) })
    #expect(Array(twelve.suffix(4)) == [0.5, 1.5, 2.5, 3.5].map { exp2(-$0) })
  }

  @Test func modifiersSeeEveryScoreAndItsPlace() throws {
    let elementwise = ScoreModifier { score, place in
      score - 0.01 * Double(place.position - place.key) + 0.1 * Double(place.head) - 0.05
        * Double(place.sequence)
    }
    let expected: ScoreRules.Rule<Double> = { b, h, i, j in
      -0.01 * Double(i + 113 - j) + 0.1 * Double(h) - 0.05 * Double(b)
    }
    try checkAllTypes(
      ScoreCase(
        mask: .modifier(elementwise), demand: .modifiers, options: AttentionOptions(softcap: 4),
        bias: expected),
      "modifier")
    @Sendable func tiles<S: BinaryFloatingPoint & SendableMetatype>(_ block: ScoreBlock<S>) {
      for row in 0..<block.rowCount {
        let place = block.place(row)
        for (column, key) in block.keys.enumerated() where key % 3 == place.query % 3 {
          block.scores(row)[column] = -.infinity
        }
      }
    }
    let hiding = ScoreModifier(float: { tiles($0) }, double: { tiles($0) })
    try checkAllTypes(
      ScoreCase(
        mask: .modifier(hiding), demand: .modifiers,
        bias: { _, _, i, j in j % 3 == i % 3 ? -.infinity : 0 }),
      "hiding modifier")
  }

  @Test func everythingAtOnceInOrder() throws {
    let slopes = [0.5, 0.1, 0.3, 0]
    let bias = Tensor<Float>.normal([37, 150], seed: 8)
    let twice = ScoreModifier { score, _ in score + 0.25 }
    try checkAllTypes(
      ScoreCase(
        mask: .modifier(twice) & .alibi(slopes: slopes) & .additive(bias), demand: .modifiers,
        options: AttentionOptions(softcap: 1, sinks: [1, 0, 2, -1]),
        bias: { _, h, i, j in Double(bias[i, j]) - slopes[h] * Double(abs(i + 113 - j)) + 0.25 }),
      "everything")
  }

  @Test func poisonHidesBehindModifiersToo() throws {
    var (q, k, v) = shape.inputs(Float.self)
    for column in 0..<12 { v[1, 1, 20, column] = .nan }
    k[1, 1, 20, 3] = .infinity
    q[0, 0, 0, 0] = .nan
    let hide20 = ScoreModifier { score, place in place.key == 20 ? -.infinity : score }
    let options = AttentionOptions(softcap: 10, sinks: [0, 1, 2, 3])
    let result = try ScaledDotProductAttention(mask: .modifier(hide20), options: options).withLogSumExp(
      q, KeyValues(keys: k, values: v))
    let oracle = AttentionOracle(
      queries: q, keys: k, values: v,
      rules: ScoreRules(softcap: 10, sinks: [0, 1, 2, 3], isVisible: { $3 != 20 })
    ).all()
    #expect(Tolerance.unitVarianceFloat.worstMismatch(result.output, expected: oracle.output) == nil)
    #expect(result.output.elements.filter { !$0.isFinite }.count == 12)
  }

  @Test func whatTwoMasksHideTogetherStaysHidden() throws {
    let q = Tensor<Float>.zeros([1, 1, 1, 4])
    let keys = Tensor<Float>.zeros([1, 1, 2, 4])
    let values = try Tensor<Float>([1, 0], shape: [1, 1, 2, 1])
    let low = try Tensor<Float>([-3e38, 0], shape: [2])
    let mask = AttentionMask.additive(low) & .additive(low)
    for modified in [mask, mask & .modifier(ScoreModifier { _, _ in 0 })] {
      #expect(
        try scaledDotProductAttention(queries: q, keys: keys, values: values, mask: modified)[0, 0, 0, 0] == 0
      )
    }
  }

  @Test func aRowWithNothingToWeighIsZeroWhateverItsSink() throws {
    let ones = Tensor<Float>(repeating: 1, shape: [1, 1, 2, 4])
    let hide = AttentionMask.modifier(ScoreModifier { _, _ in -.infinity })
    let (all, none) = (
      KeyValues(keys: ones, values: ones), KeyValues(keys: ones, values: ones, lengths: [0])
    )
    for (mask, keyValues) in [(hide, all), (.none, none)] {
      let result = try ScaledDotProductAttention(mask: mask, options: AttentionOptions(sinks: [.nan]))
        .withLogSumExp(ones, keyValues)
      #expect(result.output.elements.allSatisfy { $0 == 0 }, "\(mask)")
      #expect(result.logSumExp.elements.allSatisfy { $0 == -.infinity }, "\(mask)")
    }
  }

  @Test func refusesOptionsThatMakeNoSense() {
    let q = Tensor<Float>.zeros([1, 2, 3, 4])
    func refusal(_ mask: AttentionMask = .none, _ options: AttentionOptions = AttentionOptions()) -> String? {
      AttentionTests.refusal { () throws(AttentionError) in
        try scaledDotProductAttention(queries: q, keys: q, values: q, mask: mask, options: options)
      }?.argument
    }
    for softcap in [-1, -Double.infinity, .infinity, .nan] {
      #expect(refusal(.none, AttentionOptions(softcap: softcap)) == "softcap", "\(softcap)")
    }
    #expect(refusal(.none, AttentionOptions(sinks: [1])) == "sinks")
    #expect(refusal(.none, AttentionOptions(sinks: [1, 2, 3])) == "sinks")
    #expect(refusal(.none, AttentionOptions(sinks: [1, 2])) == nil)
    #expect(refusal(.alibi(slopes: [1])) == "mask")
    #expect(refusal(.alibi(slopes: [1, .nan])) == "mask")
    #expect(refusal(.alibi(slopes: [1, 1e300])) == "mask")
    #expect(refusal(.alibi(slopes: [9e19, 0]) & .alibi(slopes: [9e19, 0])) == "mask")
    #expect(refusal(.alibi(slopes: [1, 2], .topLeft) & .causal) == "mask")
  }

  /// Scores beyond the cap beside those of NaN queries, in every other vector of so many rows.
  @Test(arguments: [1, 4, 8, 16]) func cappedRowsDoNotSeeTheirNeighboursNaN(lanes: Int) throws {
    var queries = Tensor<Float>(repeating: 3, shape: [1, 1, 64, 8])
    let keys = Tensor<Float>.normal([1, 1, 20, 8], seed: 1)
    let values = Tensor<Float>.normal([1, 1, 20, 8], seed: 2)
    let attend = ScaledDotProductAttention(scale: 1, options: AttentionOptions(softcap: 0.5))
    let expected = try attend(queries, KeyValues(keys: keys, values: values))
    for row in 0..<64 where row / lanes % 2 == 1 { queries[0, 0, row, 0] = .nan }
    let output = try attend(queries, KeyValues(keys: keys, values: values))
    for row in 0..<64 {
      let isPoisoned = row / lanes % 2 == 1
      for column in 0..<8 {
        let (actual, right) = (output[0, 0, row, column], expected[0, 0, row, column])
        #expect(isPoisoned ? actual.isNaN : actual == right, "row \(row), column \(column)")
      }
    }
  }
}
