import Attention
import AttentionReference
import Foundation
import TestSupport
import Testing

/// Results over parts of the keys, merged, against attention over all of them.
@Suite struct MergedAttentionTests {
  private let shape = ProblemShape(
    batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 19, keys: 90, headDimension: 16,
    valueDimension: 12)

  /// Attention over some keys; positions stay those of the whole.
  private func part<E: AttentionElement>(
    _ keys: Range<Int>, _: E.Type
  ) throws -> (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>) {
    let (q, k, v) = shape.inputs(E.self)
    return try ScaledDotProductAttention(mask: .causal(.offset(71 - keys.lowerBound))).withLogSumExp(
      q, KeyValues(keys: k.sliced(axis: 2, keys), values: v.sliced(axis: 2, keys)))
  }

  @Test(arguments: [[0, 90], [0, 1, 90], [0, 30, 60, 90], [0, 0, 89, 90, 90]])
  func partsGiveTheWhole(cuts: [Int]) throws {
    // Each half-type part is rounded before the merge: half a step of outputs below 4, 2⁻⁹ for Float16 and 2⁻⁶ for BFloat16,
    // and the merged output once more.
    try check(cuts, Float.self, Tolerance(absolute: 2e-6))
    try check(cuts, Double.self, Tolerance(absolute: 4e-15))
    try check(cuts, Float16.self, Tolerance(absolute: 0x1p-8))
    try check(cuts, BFloat16.self, Tolerance(absolute: 0x1p-5))
  }

  private func check<E: AttentionElement>(_ cuts: [Int], _: E.Type, _ tolerance: Tolerance) throws {
    let (q, k, v) = shape.inputs(E.self)
    let parts = try zip(cuts, cuts.dropFirst()).map { try part($0..<$1, E.self) }
    let merged = try mergeAttention(parts, on: Pools.three)
    let oracle = AttentionOracle(
      queries: q, keys: k, values: v, rules: ScoreRules(isVisible: { $3 <= $2 + 71 })
    ).all()
    let mismatch = tolerance.worstMismatch(merged.output, expected: oracle.output)
    #expect(mismatch == nil, "\(E.self) \(cuts)")
    let sums = Tolerance(relative: 1e-6, absolute: 2e-6)
    let sumMismatch = sums.worstMismatch(merged.logSumExp, expected: oracle.logSumExp)
    #expect(sumMismatch == nil, "\(E.self) \(cuts)")
    let alone = try mergeAttention(parts, on: Pools.one)
    #expect(alone.output == merged.output && alone.logSumExp == merged.logSumExp)
  }

  /// Rows of more numbers than are merged at a time.
  @Test(arguments: [4095, 4096, 4097, 9001]) func rowsOfAnyWidthAreMerged(width: Int) throws {
    func part(_ seed: UInt64, _ sums: [Float]) -> (output: Tensor<Float>, logSumExp: Tensor<Float>) {
      (
        .normal([sums.count, width], seed: seed),
        Tensor(unsafeUninitializedShape: [sums.count]) { target in
          for (row, sum) in sums.enumerated() { target.initializeElement(at: row, to: sum) }
        }
      )
    }
    let parts = [part(1, [0, -1, -.infinity]), part(2, [1, -1, 2])]
    let merged = try mergeAttention(parts, on: Pools.three)
    for (row, share) in [(0, exp(0.0) / (exp(0.0) + exp(1.0))), (1, 0.5), (2, 0)] {
      for column in 0..<width {
        let (a, b) = (Double(parts[0].output[row, column]), Double(parts[1].output[row, column]))
        let error = abs(Double(merged.output[row, column]) - (share * a + (1 - share) * b))
        #expect(error <= 2e-6, "row \(row), column \(column)")
      }
    }
  }

  /// One number a row.
  private func merge(_ parts: [(Float, Float)]) throws -> (Float, Float) {
    let merged = try mergeAttention(
      parts.map { (try Tensor([$0.0], shape: [1, 1]), try Tensor([$0.1], shape: [1])) })
    return (merged.output[0, 0], merged.logSumExp[0])
  }

  @Test func emptyPartsLeaveNoTrace() throws {
    #expect(try merge([(.nan, -.infinity), (3, 2)]) == (3, 2))
    #expect(try merge([(3, 2), (.nan, -.infinity)]) == (3, 2))
    #expect(try merge([(.nan, -.infinity), (.infinity, -.infinity)]) == (0, -.infinity))
    #expect(try merge([(5, -.infinity)]) == (0, -.infinity))
  }

  @Test func infiniteSumsTakeAllOrLeaveItUndefined() throws {
    #expect(try merge([(3, .infinity), (4, 2)]) == (3, .infinity))
    #expect(try merge([(1, 2), (3, .infinity), (7, -.infinity)]) == (3, .infinity))
    let undefined = try merge([(1, .infinity), (3, .infinity)])
    #expect(undefined.0.isNaN && undefined.1.isNaN)
    for parts in [[(1, Float.nan), (3, 2)], [(3, 2), (1, .nan)], [(3, .infinity), (1, .nan)]]
      as [[(Float, Float)]]
    {
      let result = try merge(parts)
      #expect(result.0.isNaN && result.1.isNaN, "\(parts)")
    }
  }

  /// As a visible NaN does in one call, however small its weight.
  @Test func aNaNShowsUnderAWeightThatRoundsToZero() throws {
    for parts in [[(Float.nan, Float(-500)), (3, 2)], [(3, 2), (.nan, -500)], [(3, .infinity), (.nan, 2)]] {
      #expect(try merge(parts).0.isNaN, "\(parts)")
    }
  }

  @Test func sumsOfAnySizeDoNotOverflow() throws {
    #expect(try merge([(1, 30_000), (3, 30_000)]) == (2, 30_000 + log(2)))
    #expect(try merge([(1, -30_000), (3, -30_000)]) == (2, -30_000 + log(2)))
    #expect(try merge([(1, 30_000), (3, -30_000)]) == (1, 30_000))
  }

  @Test func refusesPartsThatDoNotFit() throws {
    let (output, sums) = (Tensor<Float>.zeros([2, 3, 4]), Tensor<Float>.zeros([2, 3]))
    func refusal(_ parts: [(output: Tensor<Float>, logSumExp: Tensor<Float>)]) -> String? {
      AttentionTests.refusal { () throws(AttentionError) in try mergeAttention(parts) }?.description
    }
    #expect(refusal([(output, sums)]) == nil)
    #expect(refusal([])?.hasPrefix("parts: none given") == true)
    #expect(refusal([(output, sums), (.zeros([2, 3, 5]), sums)])?.hasPrefix("parts: output 1 has") == true)
    #expect(refusal([(output, .zeros([3, 2]))])?.hasPrefix("parts: log-sum-exp 0 has") == true)
    #expect(refusal([(.zeros([]), .zeros([]))])?.hasPrefix("parts: an output without axes") == true)
    #expect(try mergeAttention([(Tensor<Float>.zeros([0, 4]), .zeros([0]))]).output.isEmpty)
  }
}
