import Attention
import TestSupport
import Testing

/// Every mask on odd shapes, in every element type and on every instruction set, against the oracle.
@Suite struct KernelTests {
  /// Every kernel, on the best instruction set.
  private static let best = ForcedVariant.best

  @Test(arguments: MaskCase.all)
  func agreesWithTheOracle(mask: MaskCase) throws {
    var runs = KernelRuns()
    for shape in ProblemShape.grid {
      try check(shape, mask, ForcedVariant.all, Float.self, &runs)
      try check(shape, mask, ForcedVariant.all, Double.self, &runs)
      try check(shape, mask, ForcedVariant.all, Float16.self, &runs)
      try check(shape, mask, ForcedVariant.all, BFloat16.self, &runs)
    }
    runs.expect(
      ProblemShape.grid.count, of: ForcedVariant.all, [.float32, .float64, .float16, .bfloat16],
      demand: mask.demand, "\(mask)")
  }

  @Test(arguments: MaskCase.all)
  func agreesWithTheOracleOverManyTiles(mask: MaskCase) throws {
    var runs = KernelRuns()
    for shape in ProblemShape.large { try check(shape, mask, Self.best, Float.self, &runs) }
    runs.expect(ProblemShape.large.count, of: Self.best, [.float32], demand: mask.demand, "\(mask)")
  }

  @Test(arguments: [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 96, 127, 128, 129, 255, 256])
  func takesAnyHeadDimension(width: Int) throws {
    let shape = ProblemShape(
      heads: HeadCounts(query: 2, keyValue: 1), queries: 19, keys: 45, headDimension: width,
      valueDimension: 257 - width)
    var runs = KernelRuns()
    try check(shape, MaskCase.all[1], Self.best, Float.self, &runs)
    try check(shape, MaskCase.all[1], Self.best, BFloat16.self, &runs)
    runs.expect(1, of: Self.best, [.float32, .bfloat16], "width \(width)")
  }

  @Test(arguments: [127, 128, 129, 175, 176, 177, 191, 192, 193, 511, 512, 513])
  func agreesAtTheEdgesOfTiles(count: Int) throws {
    var runs = KernelRuns()
    for mask in [MaskCase.all[0], MaskCase.all[1], MaskCase.all[5]] {
      for (queries, keys) in [(count, count), (3, count), (count, 20)] {
        let shape = ProblemShape(
          heads: HeadCounts(query: 1, keyValue: 1), queries: queries, keys: keys, headDimension: 8,
          valueDimension: 5)
        try check(shape, mask, Self.best, Float.self, &runs)
      }
    }
    runs.expect(9, of: Self.best, [.float32], "\(count)")
  }

  @Test func readsAnyStrides() throws {
    let shape = ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 21, keys: 37, headDimension: 16,
      valueDimension: 12)
    let (q, k, v) = shape.inputs(Float.self)
    let expected = try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal)
    for layout in Layout<Float>.all {
      let output = try scaledDotProductAttention(
        queries: layout.store(q), keys: layout.store(k), values: layout.store(v), mask: .causal)
      #expect(output == expected, "\(layout.name)")
    }
  }

  @Test func readsKeysThatRepeatAndOverlap() throws {
    // One key row for all (stride 0), and windows onto one line (a row stride below the width): BLAS takes neither.
    let q = Tensor<Float>.normal([1, 1, 5, 8], seed: 1)
    let one = try Tensor<Float>.normal([1, 1, 1, 8], seed: 2).broadcast(to: [1, 1, 9, 8])
    let line = Tensor<Float>.normal([16], seed: 3)
    let windows = try line.withUnsafePointer { base in
      try Tensor(unsafeExternal: base, shape: [1, 1, 9, 8], strides: [0, 0, 1, 1], owner: line)
    }
    for keys in [one, windows] {
      let inputs = (q: q, k: keys, v: windows)
      let result = try ScaledDotProductAttention().withLogSumExp(q, KeyValues(keys: keys, values: windows))
      expectMatchesOracle(result, inputs, MaskRules(), "strides \(keys.strides)")
    }
  }

  @Test func scalesAsAsked() throws {
    let shape = ProblemShape(queries: 9, keys: 14, headDimension: 12, valueDimension: 7)
    let inputs = shape.inputs(Float.self)
    for scale in [0, -0.5, 1, 0.01] {
      let result = try ScaledDotProductAttention(scale: scale).withLogSumExp(
        inputs.q, KeyValues(keys: inputs.k, values: inputs.v))
      expectMatchesOracle(result, inputs, scale: scale, MaskRules(), "scale \(scale)")
    }
  }

  private func check<E: AttentionElement>(
    _ shape: ProblemShape, _ mask: MaskCase, _ variants: [ForcedVariant], _: E.Type,
    _ runs: inout KernelRuns
  ) throws {
    let inputs = shape.inputs(E.self)
    let (composed, rules) = mask.make(shape)
    let answer = OracleAnswer(inputs, rules)
    let attend = ScaledDotProductAttention(mask: composed, on: Pools.two)
    let keyValues = mask.keyValues(inputs, shape)
    for variant in variants {
      let context = "\(shape), \(mask), \(E.elementType), \(variant)"
      let duty = KernelDuty(
        kernel: variant.kernel, isDouble: E.elementType == .float64, demand: mask.demand,
        width: max(shape.headDimension, shape.valueDimension))
      let result = try variant.result(ifDue: duty, context) { () throws(AttentionError) in
        try attend.withLogSumExp(inputs.q, keyValues, forcing: variant)
      }
      guard let result else { continue }
      answer.expect(result, context)
      runs.add(variant, E.elementType)
    }
  }
}
