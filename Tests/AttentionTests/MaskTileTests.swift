import Attention
import AttentionReference
import TestSupport
import Testing

/// Mask tensors over many tiles: what is skipped, what is hidden whole, and numbers at the ends of the types.
@Suite struct MaskTileTests {
  private static let shape = ProblemShape(
    heads: HeadCounts(query: 4, keyValue: 2), queries: 75, keys: 700, headDimension: 16, valueDimension: 12)
  private static let fused = ForcedVariant.all.filter { $0.kernel == .fused }

  private func check<E: AttentionElement>(
    _: E.Type, _ mask: AttentionMask, _ rules: MaskRules, _ variants: [ForcedVariant],
    scale: Double? = nil, _ context: String
  ) throws {
    let inputs = Self.shape.inputs(E.self)
    let answer = OracleAnswer(inputs, scale: scale, rules)
    let attend = ScaledDotProductAttention(scale: scale, mask: mask, on: Pools.two)
    for variant in variants {
      let result = try attend.withLogSumExp(
        inputs.q, KeyValues(keys: inputs.k, values: inputs.v), forcing: variant)
      answer.expect(result, "\(context), \(variant), \(E.elementType)")
    }
  }

  /// A mask of `queries × keys` that is the same for all heads.
  private func tensor<E: TensorElement>(_ element: (_ query: Int, _ key: Int) -> E) -> Tensor<E> {
    Tensor(unsafeUninitializedShape: [Self.shape.queries, Self.shape.keys]) { memory in
      for i in 0..<memory.count {
        let (query, key) = i.quotientAndRemainder(dividingBy: Self.shape.keys)
        memory.initializeElement(at: i, to: element(query, key))
      }
    }
  }

  /// Squares of 20 queries by 32 keys, and keys that nobody sees for longer than a block of any kernel.
  private static func isShown(_ query: Int, _ key: Int) -> Bool {
    !(260..<600).contains(key) && (query / 20 + key / 32) % 3 == 0
  }

  @Test func squaresOfKeysAreSkipped() throws {
    let rules = MaskRules(isVisible: { _, _, i, j in Self.isShown(i, j) })
    let boolean = AttentionMask.boolean(tensor(Self.isShown))
    let additive = AttentionMask.additive(tensor { Self.isShown($0, $1) ? 0 : -Float.infinity })
    for mask in [boolean, additive, boolean & additive] {
      try check(Float.self, mask, rules, ForcedVariant.all, "squares")
      try check(BFloat16.self, mask, rules, Self.fused, "squares")
    }
    let causal = MaskRules(isVisible: { _, _, i, j in Self.isShown(i, j) && j <= i + 625 })
    try check(Float.self, boolean & .causal, causal, ForcedVariant.all, "squares and causal")
  }

  @Test func scalesBesideBiases() throws {
    let bias = tensor { Float($0 % 7) / 4 - Float($1 % 11) / 8 }
    let rules = MaskRules(bias: { _, _, i, j in Double(bias[i, j]) })
    for scale in [0, -0.25, 0.3] {
      try check(Float.self, .additive(bias), rules, ForcedVariant.all, scale: scale, "scale \(scale)")
    }
  }

  @Test func rowsThatBiasesHideAreEmpty() throws {
    let inputs = Self.shape.inputs(Float.self)
    var (q, k, v) = (inputs.q, inputs.k, inputs.v)
    // Nobody sees key 5, and nobody needs row 3.
    k[0, 0, 5, 0] = .nan
    v[0, 1, 5, 0] = .infinity
    q[0, 0, 3, 0] = .nan
    let bias = tensor { $0 % 4 == 3 || $1 == 5 ? -Float.infinity : Float($1 % 3) }
    for mask in [AttentionMask.additive(bias), .additive(bias) & .boolean(tensor { $0 % 5 != 1 || $1 < 0 })] {
      for variant in ForcedVariant.all {
        let result = try ScaledDotProductAttention(mask: mask, on: Pools.two).withLogSumExp(
          q, KeyValues(keys: k, values: v), forcing: variant)
        for h in 0..<Self.shape.heads.query {
          for i in stride(from: 3, to: Self.shape.queries, by: 4) {
            #expect(result.logSumExp[0, h, i] == -.infinity, "\(variant), head \(h), query \(i)")
            for d in 0..<12 { #expect(result.output[0, h, i, d] == 0, "\(variant), head \(h), query \(i)") }
          }
        }
        #expect(result.output.elements.allSatisfy { $0.isFinite }, "\(variant)")
      }
    }
  }

  @Test func aBiasThatIsNoNumberReachesItsRowAlone() throws {
    let inputs = Self.shape.inputs(Float.self)
    let (q, k, v) = (inputs.q, inputs.k, inputs.v)
    let bias = tensor { $0 == 9 && $1 == 444 ? Float.nan : 0 }
    for variant in ForcedVariant.all {
      let output = try ScaledDotProductAttention(mask: .additive(bias), on: Pools.two).withLogSumExp(
        q, KeyValues(keys: k, values: v), forcing: variant
      ).output
      for h in 0..<Self.shape.heads.query {
        for i in 0..<Self.shape.queries {
          #expect(output[0, h, i, 0].isNaN == (i == 9), "\(variant), head \(h), query \(i)")
        }
      }
    }
  }

  /// As frameworks write masks: the lowest number where a key is hidden. It hides where a key with another number is seen; where none
  /// is, all keys count alike.
  @Test func theLowestNumberHidesOnlyBesideOthers() throws {
    let lowest = -Float.greatestFiniteMagnitude
    let bias = tensor { $0 % 3 == 0 || $1 % 5 == 2 ? lowest : 0 }
    let rules = MaskRules(bias: { _, _, i, j in Double(bias[i, j]) })
    let inputs = Self.shape.inputs(Float.self)
    let (q, k, v) = (inputs.q, inputs.k, inputs.v)
    let exact = AttentionOracle(
      queries: q, keys: k, values: v, rules: ScoreRules(bias: rules.bias)
    ).all().output
    let far = tensor { Double(bias[$0, $1]) * 1e200 }
    for mask in [AttentionMask.additive(bias), .additive(far)] {
      for variant in ForcedVariant.all {
        let output = try ScaledDotProductAttention(mask: mask, on: Pools.two).withLogSumExp(
          q, KeyValues(keys: k, values: v), forcing: variant
        ).output
        #expect(Tolerance.unitVarianceFloat.worstMismatch(output, expected: exact) == nil, "\(variant)")
      }
    }
  }
}
