import Attention
import AttentionReference
import TestSupport
import Testing

/// Scores that are close to each other and far from 0, exact in Float: as right as the plain computation, which takes differences first.
@Suite struct CloseScoresTests {
  private static let queries = 21
  private static let keys = 150
  private static let heads = 2

  /// Scores of 98304 and up to 2 more or less, in steps of 1/128, as numbers of either type hold them.
  private func inputs<E: FloatingPointElement>(_: E.Type) throws -> (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>)
  {
    let q: [Double] = (0..<Self.heads * Self.queries).flatMap { [1, Double($0 % 5 - 2) / 4] }
    let k: [Double] = (0..<Self.heads * Self.keys).flatMap { [98304, Double($0 * 37 % 129 - 64) / 32] }
    func tensor(_ numbers: [Double], _ count: Int) throws -> Tensor<E> {
      try Tensor(numbers.map { E(nearest: $0) }, shape: [1, Self.heads, count, 2])
    }
    return (
      try tensor(q, Self.queries), try tensor(k, Self.keys),
      .normal([1, Self.heads, Self.keys, 3], seed: 5)
    )
  }

  private func check<E: AttentionElement>(
    _: E.Type, _ scores: ScoreCase, scale: Double, _ context: String
  ) throws {
    let (q, k, v) = try inputs(E.self)
    let rules = scores.rules(scale: scale)
    let oracle = AttentionOracle(queries: q, keys: k, values: v, rules: rules).all()
    let naive = naiveAttention(queries: q, keys: k, values: v, rules: rules)
    let tolerance = Tolerance.twiceNaive(naive, reference: oracle.output)
    // Two roundings of a Float.
    let sums = Tolerance(relative: 0x1p-23, absolute: 1e-5)
    let attend = ScaledDotProductAttention(
      scale: scale, mask: scores.mask, options: scores.options, on: Pools.two)
    var runs = KernelRuns()
    for variant in ForcedVariant.all {
      let duty = KernelDuty(kernel: variant.kernel, demand: scores.demand)
      let result = try variant.result(ifDue: duty, "\(context), \(E.self), \(variant)") {
        () throws(AttentionError) in
        try attend.withLogSumExp(q, KeyValues(keys: k, values: v), forcing: variant)
      }
      guard let result else { continue }
      runs.add(variant, E.elementType)
      let mismatch = tolerance.worstMismatch(result.output, expected: oracle.output)
      #expect(mismatch == nil, "\(context), scale \(scale), \(E.self), \(variant)")
      let sumMismatch = sums.worstMismatch(result.logSumExp, expected: oracle.logSumExp)
      #expect(sumMismatch == nil, "log-sum-exp, \(context), scale \(scale), \(E.self), \(variant)")
    }
    runs.expect(1, of: ForcedVariant.all, [E.elementType], demand: scores.demand, context)
  }

  private func checkBoth(_ context: String, scales: [Double] = [1, -0.5], _ scores: ScoreCase) throws {
    for scale in scales {
      try check(Float.self, scores, scale: scale, context)
      try check(BFloat16.self, scores, scale: scale, context)
    }
  }

  @Test func withoutRules() throws {
    try checkBoth("no rules", scales: [1, -1, 0.5, 0, 0x1p40], ScoreCase())
    try checkBoth("causal", ScoreCase(mask: .causal, isVisible: { $3 <= $2 + Self.keys - Self.queries }))
  }

  @Test func withALiBi() throws {
    // Powers of two: products with distances are exact.
    let slopes = [0.125, 2]
    try checkBoth(
      "ALiBi",
      ScoreCase(
        mask: .alibi(slopes: slopes),
        bias: { _, h, i, j in -slopes[h] * Double(abs(i + Self.keys - Self.queries - j)) }))
  }

  @Test func withBiases() throws {
    let bias = Tensor<Float>(
      unsafeUninitializedShape: [Self.queries, Self.keys]
    ) { memory in
      for i in 0..<memory.count { memory.initializeElement(at: i, to: Float(i * 11 % 97 - 48) / 64 - 4096) }
    }
    try checkBoth(
      "bias", ScoreCase(mask: .additive(bias), demand: .tensors, bias: { _, _, i, j in Double(bias[i, j]) }))
  }

  @Test func withSoftcapsFarAbove() throws {
    // So far that the cap changes no bit.
    try checkBoth("softcap", ScoreCase(options: AttentionOptions(softcap: 0x1p60)))
    let slopes = [0.5, 1]
    try checkBoth(
      "softcap and ALiBi",
      ScoreCase(
        mask: .alibi(slopes: slopes), options: AttentionOptions(softcap: 0x1p60),
        bias: { _, h, i, j in -slopes[h] * Double(abs(i + Self.keys - Self.queries - j)) }))
  }

  @Test func withSinksBesideThem() throws {
    try checkBoth("sinks", scales: [1], ScoreCase(options: AttentionOptions(sinks: [98304.5, 98303])))
  }

  /// The CPU's products of bfloat16 pairs take subnormal numbers for 0.
  @Test(arguments: [1e37, -3e38, 1e31]) func countsSubnormalNumbers(scale: Double) throws {
    let (queries, keys) = (9, 40)
    let q = Tensor<BFloat16>.normal([1, 1, queries, 4], seed: 1)
    let k = try Tensor(
      (0..<keys * 4).map { BFloat16(nearest: Double($0 * 29 % 127 - 63) * 0x1p-133) }, shape: [1, 1, keys, 4])
    let v = Tensor<BFloat16>.normal([1, 1, keys, 4], seed: 2)
    for (q, k) in [(q, k), (k, q)] {
      let v = try v.sliced(axis: 2, 0..<k.shape[2]).broadcast(to: [1, 1, k.shape[2], 4])
      let rules = ScoreRules(scale: scale)
      let exact = AttentionOracle(queries: q, keys: k, values: v, rules: rules).all().output
      let naive = naiveAttention(queries: q, keys: k, values: v, rules: rules)
      let tolerance = Tolerance.twiceNaive(naive, reference: exact)
      for variant in ForcedVariant.all {
        let result = try ScaledDotProductAttention(scale: scale, on: Pools.two).withLogSumExp(
          q, KeyValues(keys: k, values: v), forcing: variant)
        let mismatch = tolerance.worstMismatch(result.output, expected: exact)
        #expect(mismatch == nil, "\(variant), \(q.shape)")
      }
    }
  }
}
