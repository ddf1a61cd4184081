import Attention
import AttentionReference
import TestSupport
import Testing

/// The contract's table of edges, row by row.
@Suite struct EdgeTests {
  @Test func aQueryThatSeesNoKeyYieldsZero() throws {
    // Queries 0...21 of 31 stand before the first of 9 keys.
    let shape = ProblemShape(queries: 31, keys: 9, headDimension: 8, valueDimension: 8)
    let inputs = shape.inputs(Float.self)
    let (output, logSumExp) = try ScaledDotProductAttention(mask: .causal).withLogSumExp(
      inputs.q, KeyValues(keys: inputs.k, values: inputs.v))
    for query in 0..<22 {
      #expect(output.selected(axis: 2, query).elements.allSatisfy { $0 == 0 }, "query \(query)")
      #expect(logSumExp.selected(axis: 2, query).elements.allSatisfy { $0 == -.infinity }, "query \(query)")
    }
    #expect(output.selected(axis: 2, 22).elements.allSatisfy { $0 != 0 })
  }

  @Test func noKeysAtAllYieldZero() throws {
    let q = Tensor<Float>.normal([2, 2, 3, 4], seed: 1)
    let k = Tensor<Float>.zeros([2, 1, 0, 4])
    let v = Tensor<Float>.zeros([2, 1, 0, 5])
    for mask in [AttentionMask.none, .causal, .boolean(.zeros([3, 0]))] {
      for lengths in [nil, [0, 0]] as [[Int]?] {
        let (output, logSumExp) = try ScaledDotProductAttention(mask: mask).withLogSumExp(
          q, KeyValues(keys: k, values: v, lengths: lengths))
        #expect(output == .zeros([2, 2, 3, 5]))
        #expect(logSumExp.elements.allSatisfy { $0 == -.infinity })
      }
    }
  }

  @Test(arguments: MaskCase.all, [Double.nan, .infinity, -.infinity])
  func poisonThatNoQuerySeesReachesNothing(mask: MaskCase, poison: Double) throws {
    for shape in ProblemShape.grid {
      var inputs = shape.inputs(Float.self)
      let (composed, rules) = mask.make(shape)
      let group = shape.heads.query / shape.heads.keyValue
      for b in 0..<shape.batch {
        for head in 0..<shape.heads.keyValue {
          for key in 0..<shape.keys {
            let isSeen = (head * group..<(head + 1) * group).contains { h in
              (0..<shape.queries).contains { !rules.hides(b, h, $0, key) }
            }
            if isSeen { continue }
            for d in 0..<shape.headDimension { inputs.k[b, head, key, d] = Float(poison) }
            for d in 0..<shape.valueDimension { inputs.v[b, head, key, d] = Float(poison) }
          }
        }
      }
      let result = try ScaledDotProductAttention(mask: composed).withLogSumExp(
        inputs.q, mask.keyValues(inputs, shape))
      #expect(result.output.elements.allSatisfy { $0.isFinite }, "\(shape)")
      expectMatchesOracle(result, inputs, rules, "\(shape)")
    }
  }

  @Test(arguments: MaskCase.all)
  func poisonReachesExactlyWhatDependsOnIt(mask: MaskCase) throws {
    // Half of the keys are visible to some queries and hidden from others: only the former may show it.
    for shape in ProblemShape.grid {
      var inputs = shape.inputs(Float.self)
      let (composed, rules) = mask.make(shape)
      let key = shape.keys / 2
      inputs.v[0, 0, key, 0] = .nan
      if shape.keys > 3 { inputs.k[0, 0, key - 1, 0] = .nan }
      if shape.queries > 4 { inputs.q[0, shape.heads.query - 1, 3, 0] = .nan }
      let result = try ScaledDotProductAttention(mask: composed).withLogSumExp(
        inputs.q, mask.keyValues(inputs, shape))
      expectMatchesOracle(result, inputs, rules, "\(shape)")
    }
  }

  @Test func nanInAVisibleBiasShows() throws {
    let shape = ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 6, keys: 20, headDimension: 4, valueDimension: 4)
    let inputs = shape.inputs(Float.self)
    var bias = Tensor<Float>.zeros([6, 20])
    bias[2, 7] = .nan
    let fixed = bias
    let result = try ScaledDotProductAttention(mask: .additive(bias)).withLogSumExp(
      inputs.q, KeyValues(keys: inputs.k, values: inputs.v))
    expectMatchesOracle(
      result, inputs, MaskRules(bias: { _, _, i, j in Double(fixed[i, j]) }), "NaN bias")
    #expect(result.output.selected(axis: 2, 2).elements.allSatisfy { $0.isNaN })
  }

  @Test(arguments: [1e4, 1e10, 1e18, 3e37])
  func logitsOfAnyFiniteSizeStayExact(size: Double) throws {
    let q = Tensor<Float>(repeating: Float(size.squareRoot()), shape: [1, 1, 3, 1])
    let k = try Tensor<Float>(
      (0..<40).map { Float(size.squareRoot()) * Float($0 - 20) / 20 }, shape: [1, 1, 40, 1])
    let inputs = (q: q, k: k, v: Tensor<Float>.normal([1, 1, 40, 6], seed: 4))
    for scale in [1.0, -1.0] {
      let result = try ScaledDotProductAttention(scale: scale).withLogSumExp(
        q, KeyValues(keys: inputs.k, values: inputs.v))
      let oracle = AttentionOracle(
        queries: q, keys: inputs.k, values: inputs.v, rules: ScoreRules(scale: scale)
      ).all()
      #expect(Tolerance(absolute: 1e-5).worstMismatch(result.output, expected: oracle.output) == nil)
      #expect(result.logSumExp.elements.allSatisfy { $0.isFinite })
    }
  }

  @Test func aScoreOfPlusInfinityTakesAllTheWeight() throws {
    let shape = ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 5, keys: 33, headDimension: 4, valueDimension: 6)
    let inputs = shape.inputs(Float.self)
    var bias = Tensor<Float>.zeros([5, 33])
    bias[1, 20] = .infinity
    bias[3, 4] = .infinity
    bias[3, 5] = .infinity
    let fixed = bias
    let result = try ScaledDotProductAttention(mask: .additive(bias)).withLogSumExp(
      inputs.q, KeyValues(keys: inputs.k, values: inputs.v))
    expectMatchesOracle(result, inputs, MaskRules(bias: { _, _, i, j in Double(fixed[i, j]) }), "+∞")
    #expect(result.output.selected(axis: 2, 1).elements == inputs.v.selected(axis: 2, 20).elements)
    #expect(result.output.selected(axis: 2, 3).elements.allSatisfy { $0.isNaN })
  }

  @Test func finiteValuesNearTheLargestStayFinite() throws {
    func check<E: AttentionElement>(_ value: E, _ tolerance: Double) throws {
      let zeros = Tensor<E>.zeros([1, 1, 4, 2])
      let values = Tensor<E>(repeating: value, shape: [1, 1, 4, 3])
      let output = try scaledDotProductAttention(queries: zeros, keys: zeros, values: values)
      #expect(
        output.elements.allSatisfy { abs($0.doubleValue / value.doubleValue - 1) < tolerance }, "\(output)")
    }
    try check(Float(2e38), 1e-6)
    try check(BFloat16(1e38), 1e-6)
    try check(1e308, 1e-14)
    try check(Float16(60000), 1e-6)
  }

  @Test func finiteLogitsOfHugeFactorsStayExact() throws {
    let v = Tensor<Float>.normal([1, 1, 3, 2], seed: 1)
    let cases: [(q: [Float], k: [Float], scale: Double)] = [
      // Products that overflow before the scale makes them small.
      ([1e25, 0], [1e15, 0, 2e15, 0, 0, 0], 1e-40), ([1e10, 0], [1e-38, 0, 2e-38, 0, 3e-38, 0], 1e30),
      // Products that overflow before they cancel.
      ([1e20, 1e20], [1e20, -1e20, 2e20, -2e20, 0, 0], 1),
    ]
    for (q, k, scale) in cases {
      let inputs = (
        q: try Tensor<Float>(q, shape: [1, 1, 1, 2]), k: try Tensor<Float>(k, shape: [1, 1, 3, 2]), v: v
      )
      let result = try ScaledDotProductAttention(scale: scale).withLogSumExp(
        inputs.q, KeyValues(keys: inputs.k, values: v))
      #expect(result.output.elements.allSatisfy { $0.isFinite }, "\(q) \(k) \(scale)")
      let oracle = AttentionOracle(
        queries: inputs.q, keys: inputs.k, values: v, rules: ScoreRules(scale: scale)
      ).all()
      #expect(
        Tolerance(absolute: 1e-4).worstMismatch(result.output, expected: oracle.output) == nil, "\(q) \(k)")
    }
  }

  @Test func infiniteScoresAndWhatMeetsThemFollowTheOracle() throws {
    // Key 1 scores −∞ by itself: visible, without weight, and not hidden from NaN in its value or bias.
    let q = try Tensor<Float>([1, 1], shape: [1, 1, 2, 1])
    let k = try Tensor<Float>([0.5, -.infinity, 1], shape: [1, 1, 3, 1])
    let v = Tensor<Float>.normal([1, 1, 3, 2], seed: 3)
    var poisoned = v
    poisoned[0, 0, 1, 0] = .nan
    for added in [0, Float.nan, .infinity, -.infinity, 1] {
      for values in [v, poisoned] {
        for other in [0, Float.infinity] {
          var bias = Tensor<Float>.zeros([3])
          bias[1] = added
          bias[2] = other
          let fixed = bias
          let result = try ScaledDotProductAttention(mask: .additive(bias)).withLogSumExp(
            q, KeyValues(keys: k, values: values))
          expectMatchesOracle(
            result, (q, k, values), MaskRules(bias: { _, _, _, j in Double(fixed[j]) }), "\(bias)")
        }
      }
    }
  }

  @Test func anInfiniteValueUnderATinyWeightKeepsItsInfinity() throws {
    // exp(−200) is 0 in Float and not in truth.
    let q = Tensor<Float>(repeating: 1, shape: [1, 1, 1, 1])
    let k = try Tensor<Float>([0, -200], shape: [1, 1, 2, 1])
    let v = try Tensor<Float>([1, .infinity], shape: [1, 1, 2, 1])
    #expect(try scaledDotProductAttention(queries: q, keys: k, values: v).elements == [.infinity])
  }

  @Test func scoresOfMinusInfinityAloneYieldZero() throws {
    var q = Tensor<Float>(repeating: 1, shape: [1, 1, 2, 1])
    q[0, 0, 1, 0] = 0.5
    let k = Tensor<Float>(repeating: -.infinity, shape: [1, 1, 3, 1])
    let v = Tensor<Float>(repeating: 7, shape: [1, 1, 3, 2])
    let (output, logSumExp) = try ScaledDotProductAttention().withLogSumExp(q, KeyValues(keys: k, values: v))
    #expect(output == .zeros([1, 1, 2, 2]))
    #expect(logSumExp.elements == [-.infinity, -.infinity])
  }

  @Test func aKeyHiddenByOneBiasStaysHiddenWhateverTheOther() throws {
    let shape = ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 2, keys: 4, headDimension: 4, valueDimension: 3)
    let inputs = shape.inputs(Float.self)
    let hides = try Tensor<Float>([0, -.infinity, 0, -.infinity], shape: [4])
    let other = try Tensor<Float>([0, .infinity, 0, .nan], shape: [4])
    for mask in [AttentionMask.additive(hides) & .additive(other), .additive(other) & .additive(hides)] {
      let result = try ScaledDotProductAttention(mask: mask).withLogSumExp(
        inputs.q, KeyValues(keys: inputs.k, values: inputs.v))
      expectMatchesOracle(
        result, inputs, MaskRules(isVisible: { _, _, _, j in j % 2 == 0 }), "two biases")
    }
  }

  @Test(arguments: MaskCase.all)
  func allZeroValuesGiveAnAllZeroOutputWhateverTheScores(mask: MaskCase) throws {
    for shape in ProblemShape.grid {
      let (q, k, v) = shape.inputs(Float.self)
      for size in [1, 1e3, 1e15] as [Float] {
        let zeros = Tensor<Float>.zeros(v.shape)
        let output = try ScaledDotProductAttention(mask: mask.make(shape).mask)(
          q.mapped { $0 * size }, mask.keyValues((q, k, zeros), shape))
        #expect(output == .zeros(output.shape), "\(shape), queries times \(size)")
      }
    }
  }

  @Test(arguments: [[0, 2, 3], [2, 0, 3], [2, 2, 0]])
  func emptyBatchesHeadsAndQueriesGiveAnEmptyOutput(sizes: [Int]) throws {
    let (B, H, Tq) = (sizes[0], sizes[1], sizes[2])
    let (output, logSumExp) = try ScaledDotProductAttention(mask: .causal).withLogSumExp(
      Tensor<Float>.zeros([B, H, Tq, 4]),
      KeyValues(keys: Tensor<Float>.zeros([B, H, 5, 4]), values: Tensor<Float>.zeros([B, H, 5, 6])))
    #expect(output.shape == [B, H, Tq, 6] && output.isEmpty)
    #expect(logSumExp.shape == [B, H, Tq])
  }

  /// Products whose sums overflow before they cancel, on either side and on both, as +∞ brings −∞ to light: the scores themselves are 0, and all keys weigh the same.
  @Test(
    arguments: ForcedVariant.all,
    [
      (AttentionMask.none, MaskDemand.ranges), (.causal(.offset(9)), .ranges), (.alibi(slopes: [0]), .ranges),
      (.additive(Tensor<Float>.zeros([10])), .tensors),
    ])
  func sumsThatOverflowOnTheWayAreExact(
    variant: ForcedVariant, masked: (mask: AttentionMask, demand: MaskDemand)
  ) throws {
    let mask = masked.mask
    let duty = KernelDuty(kernel: variant.kernel, demand: masked.demand)
    let q = Tensor<Float>(repeating: 1e19, shape: [1, 1, 60, 4])
    var v = Tensor<Float>.zeros([1, 1, 10, 1])
    for (key, value) in [(3, 10), (7, 20), (9, 5)] as [(Int, Float)] { v[0, 0, key, 0] = value }
    func overflowing(_ keys: [(key: Int, sign: Float)]) -> Tensor<Float> {
      var k = Tensor<Float>.zeros([1, 1, 10, 4])
      for (key, sign) in keys { for d in 0..<4 { k[0, 0, key, d] = sign * (d < 2 ? 2e19 : -2e19) } }
      return k
    }
    for (k, options) in [[(3, -1)], [(7, 1)], [(3, -1), (7, 1)]].map(overflowing).flatMap({ k in
      [(k, AttentionOptions()), (k, AttentionOptions(softcap: 1e30))]
    }) {
      let result = try variant.result(ifDue: duty, "\(variant) \(mask)") { () throws(AttentionError) in
        try ScaledDotProductAttention(scale: 1, mask: mask, options: options, on: Pools.one).withLogSumExp(
          q, KeyValues(keys: k, values: v), forcing: variant)
      }
      guard let result else { continue }
      #expect(result.output.elements.allSatisfy { abs($0 - 3.5) < 1e-6 }, "\(variant) \(mask) \(options)")
      let weights = try ScaledDotProductAttention(scale: 1, mask: mask, options: options, on: Pools.one)
        .scores(q, KeyValues(keys: k, values: k), stage: .weights, forcing: variant)
      #expect(weights.elements.allSatisfy { abs($0 - 0.1) < 1e-7 }, "\(variant) \(mask) \(options)")
    }
  }

  @Test func aBatchWithoutQueriesOfAnyHeadCountCostsNothing() throws {
    let heads = Int(Int32.max)
    let q = try Tensor<Float>.zeros([1, 1, 0, 4]).broadcast(to: [1, heads, 0, 4])
    let k = Tensor<Float>.zeros([1, 1, 1, 4])
    #expect(try scaledDotProductAttention(queries: q, keys: k, values: k).shape == [1, heads, 0, 4])
    #expect(
      try ScaledDotProductAttention().scores(q, KeyValues(keys: k, values: k)).shape == [1, heads, 0, 1])
    #expect(try ScaledDotProductAttention().plan(q, KeyValues(keys: k, values: k)).taskCount == 0)
  }

  /// Weights add up to one to the rounding of 301 sums, in whatever type they are multiplied: 1 and 300 others that are alike leave a value that all keys share. One row
  /// is streamed, 40 are computed in tiles.
  @Test(arguments: [1, 40]) func weightsAddUpToOne(rows: Int) throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      for step in 1...40 {
        var queries = Tensor<E>(repeating: E(nearest: 0), shape: [1, 1, rows, 32])
        for row in 0..<rows { queries[0, 0, row, 0] = E(nearest: 1) }
        var keys = Tensor<E>(repeating: E(nearest: 0), shape: [1, 1, 301, 32])
        // All but the first have the weight exp(−step / 16).
        for key in 1...300 { keys[0, 0, key, 0] = E(nearest: -Double(step) / 16) }
        let values = Tensor<E>(repeating: E(nearest: 1), shape: [1, 1, 301, 32])
        let output = try ScaledDotProductAttention(scale: 1)(
          queries, KeyValues(keys: keys, values: values))
        let wrong = output.elements.first { abs($0.doubleValue - 1) > 1e-5 }
        #expect(wrong == nil, "\(E.self), \(rows) rows, step \(step)")
      }
    }
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
  }
}
