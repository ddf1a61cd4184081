import Attention
import AttentionReference
import TestSupport
import Testing

/// Keys and values in types of their own: attention over the numbers that are stored, whatever the type of the queries.
@Suite struct StorageTypeTests {
  /// Few queries stream keys and values, many read them in tiles; keys cross the edges of parts and tiles.
  private static let shapes = [
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 2, keys: 1100, headDimension: 24,
      valueDimension: 20
    ),
    ProblemShape(
      heads: HeadCounts(query: 4, keyValue: 2), queries: 45, keys: 150, headDimension: 17, valueDimension: 33),
  ]

  private static let types: [any AttentionElement.Type] = [
    Float.self, Double.self, Float16.self, BFloat16.self,
  ]

  /// Sums over what is stored as the contract has them for inputs of unit variance; the output of half types is rounded once more.
  private static func tolerance(_ queries: ElementType, _ stored: [ElementType]) -> Tolerance {
    func isHalf(_ type: ElementType) -> Bool { type == .float16 || type == .bfloat16 }
    let sums = queries == .float64 ? 4e-15 : stored.contains(where: isHalf) ? 2e-5 : 2e-6
    // The contract's numbers for Float32 and Float64 are of the rounded output.
    return Tolerance(relative: isHalf(queries) ? queries.unitRoundoff : 0, absolute: sums)
  }

  @Test(arguments: shapes, types.indices) func everyCombinationIsExactOrRefused(
    shape: ProblemShape, queries: Int
  ) throws {
    func check<Q: AttentionElement>(_: Q.Type) throws {
      for keys in Self.types {
        for values in Self.types { try Self.check(shape, Q.self, keys, values) }
      }
    }
    try check(Self.types[queries])
  }

  private static func check<Q: AttentionElement, K: AttentionElement, V: AttentionElement>(
    _ shape: ProblemShape, _: Q.Type, _: K.Type, _: V.Type
  ) throws {
    let q = shape.inputs(Q.self).q
    let (k, v) = (shape.inputs(K.self).k, shape.inputs(V.self).v)
    let isLegal = Q.elementType == .float64 || (K.elementType != .float64 && V.elementType != .float64)
    guard isLegal else {
      let argument = K.elementType == .float64 ? "keys" : "values"
      expectRefusal(of: argument, "float64 given", "\(Q.elementType)") {
        try ScaledDotProductAttention(mask: .causal)(q, KeyValues(keys: k, values: v))
      }
      return
    }
    let offset = shape.keys - shape.queries
    let exact = AttentionOracle(
      queries: q.converted(to: Double.self), keys: k.converted(to: Double.self),
      values: v.converted(to: Double.self), rules: ScoreRules(isVisible: { $3 <= $2 + offset })
    ).all()
    var tolerance = tolerance(Q.elementType, [K.elementType, V.elementType])
    let sums = Tolerance(relative: Q.elementType == .float64 ? 2e-15 : 1e-6, absolute: tolerance.absolute)
    if Q.elementType == .bfloat16, let k = AnyTensor(k).tensor(as: Q.self),
      let v = AnyTensor(v).tensor(as: Q.self)
    {
      // A CPU's products of bfloat16 pairs round weights too, as the plain computation in that type does.
      let naive = naiveAttention(
        queries: q, keys: k, values: v, rules: ScoreRules(isVisible: { $3 <= $2 + offset }))
      tolerance = .twiceNaive(naive, reference: exact.output)
    }
    var runs = KernelRuns()
    for variant in ForcedVariant.all {
      let context = "\(Q.elementType) over \(K.elementType) and \(V.elementType), \(shape), \(variant)"
      let duty = KernelDuty(kernel: variant.kernel, isDouble: Q.elementType == .float64)
      let result = try variant.result(ifDue: duty, context) { () throws(AttentionError) in
        try ScaledDotProductAttention(mask: .causal, on: Pools.two).withLogSumExp(
          q, KeyValues(keys: k, values: v), forcing: variant)
      }
      guard let result else { continue }
      runs.add(variant, Q.elementType)
      let mismatch = tolerance.worstMismatch(result.output, expected: exact.output)
      #expect(mismatch == nil, "\(context)")
      let sumMismatch = sums.worstMismatch(result.logSumExp, expected: exact.logSumExp)
      #expect(sumMismatch == nil, "log-sum-exp, \(context)")
    }
    runs.expect(1, of: ForcedVariant.all, [Q.elementType], "\(K.elementType) and \(V.elementType)")
  }

  /// Float64 has no place under narrower queries, wherever it lies.
  @Test func quantisesRowsThatDoNotExistWhateverTheirWidth() throws {
    let quantized = try QuantizedTensor(quantizing: Tensor<Float>.zeros([1, 2, 0, 1 << 61]))
    #expect(quantized.integers.shape == [1, 2, 0, 1 << 61] && quantized.scales.shape == [1, 2, 0])
  }

  @Test func doublesAreRefusedByName() throws {
    let q = Tensor<Float>.zeros([1, 1, 1, 4])
    let (narrow, double) = (Tensor<Float>.zeros([1, 1, 3, 4]), Tensor<Double>.zeros([1, 1, 3, 4]))
    let table = Tensor<Int32>.zeros([1, 1])
    func refuse(_ argument: String, _ keyValues: KeyValues) {
      expectRefusal(of: argument, "float64") { try ScaledDotProductAttention()(q, keyValues) }
      expectRefusal(of: argument, "float64") { try ScaledDotProductAttention().plan(q, keyValues) }
      expectRefusal(of: argument, "float64") { try ScaledDotProductAttention().scores(q, keyValues) }
      // Scores in Float64 do not make room for more.
      let precise = ScaledDotProductAttention(options: AttentionOptions(softmaxPrecision: .float64))
      expectRefusal(of: argument, "float64") { try precise(q, keyValues) }
    }
    refuse("keys", KeyValues(keys: double, values: narrow))
    refuse("values", KeyValues(keys: narrow, values: double))
    let (rows, pages) = (double.selected(axis: 0, 0).permuted(1, 0, 2), double.permuted(0, 2, 1, 3))
    refuse("packedKeys", KeyValues(packedKeys: rows, values: rows, lengths: [3]))
    refuse("keyPages", KeyValues(keyPages: pages, valuePages: pages, pageTable: table, lengths: [3]))
    refuse(
      "valuePages",
      KeyValues(
        keyPages: narrow.permuted(0, 2, 1, 3), valuePages: pages, pageTable: table, lengths: [3]))
    refuse("keyValues", KeyValues(joining: [KeyValues(keys: double, values: double)]))
  }
}
