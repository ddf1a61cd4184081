import Attention
import Parallelism
import TestSupport
import Testing

/// Bitwise the same output on any number of threads and whatever else is in the batch.
@Suite struct DeterminismTests {
  private let shape = ProblemShape(
    batch: 3, heads: HeadCounts(query: 4, keyValue: 2), queries: 130, keys: 300, headDimension: 24,
    valueDimension: 40)

  @Test(arguments: MaskCase.all)
  func doesNotDependOnThreads(mask: MaskCase) throws {
    let (q, k, v) = shape.inputs(Float.self)
    let composed = mask.make(shape).mask
    func run(_ pool: WorkerPool) throws -> (Tensor<Float>, Tensor<Float>) {
      try ScaledDotProductAttention(mask: composed, on: pool).withLogSumExp(
        q, mask.keyValues((q, k, v), shape))
    }
    let expected = try run(Pools.one)
    for pool in [Pools.two, Pools.three, Pools.seven] {
      let result = try run(pool)
      #expect(result.0 == expected.0 && result.1 == expected.1, "\(pool.threadCount) threads")
    }
  }

  /// Few queries over keys that are cut into parts.
  @Test(
    arguments: [1, 2, 4],
    [(AttentionMask.none, nil), (.causal & .window(left: 700), nil), (.none, [1500, 1, 513])]
      as [(AttentionMask, [Int]?)])
  func decodeDependsOnNeitherThreadsNorBatch(
    queries: Int, masked: (mask: AttentionMask, lengths: [Int]?)
  ) throws {
    let shape = ProblemShape(
      batch: 3, heads: HeadCounts(query: 4, keyValue: 2), queries: queries, keys: 1500, headDimension: 40,
      valueDimension: 24)
    try checkBits(shape, masked.mask, lengths: masked.lengths, Float.self)
    try checkBits(shape, masked.mask, lengths: masked.lengths, Float16.self)
    try checkBits(shape, masked.mask, lengths: masked.lengths, BFloat16.self)
  }

  /// Columns that are apart are gathered, and come to the same bits as neighbours: in bfloat16 as pairs, odd columns too.
  @Test(arguments: [1, 2], [13, 40]) func decodeDoesNotDependOnTheStrides(queries: Int, depth: Int) throws {
    let shape = ProblemShape(
      batch: 1, heads: HeadCounts(query: 4, keyValue: 2), queries: queries, keys: 300, headDimension: depth,
      valueDimension: 24)
    func check<E: AttentionElement>(_: E.Type) throws {
      let (q, k, v) = shape.inputs(E.self)
      func apart(_ tensor: Tensor<E>) -> Tensor<E> {
        tensor.transposed().contiguous().transposed()
      }
      let attend = ScaledDotProductAttention(on: Pools.two)
      let expected = try attend.withLogSumExp(q, KeyValues(keys: k, values: v))
      let result = try attend.withLogSumExp(q, KeyValues(keys: apart(k), values: apart(v)))
      #expect(result.output == expected.output && result.logSumExp == expected.logSumExp, "\(E.self)")
    }
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
  }

  private func checkBits<E: AttentionElement>(
    _ shape: ProblemShape, _ mask: AttentionMask, lengths: [Int]?, _: E.Type
  ) throws {
    let (q, k, v) = shape.inputs(E.self)
    let keyValues = KeyValues(keys: k, values: v, lengths: lengths)
    let expected = try ScaledDotProductAttention(mask: mask, on: Pools.one)(q, keyValues)
    for pool in [Pools.two, Pools.three, Pools.seven] {
      #expect(
        try ScaledDotProductAttention(mask: mask, on: pool)(q, keyValues) == expected,
        "\(shape) \(pool.threadCount) threads")
    }
    for b in 0..<shape.batch {
      func only(_ tensor: Tensor<E>) -> Tensor<E> { tensor.sliced(axis: 0, b..<b + 1) }
      let alone = try ScaledDotProductAttention(mask: mask, on: Pools.three)(
        only(q), KeyValues(keys: only(k), values: only(v), lengths: lengths.map { [$0[b]] }))
      #expect(alone == only(expected), "\(shape) sequence \(b)")
    }
  }

  @Test func doesNotDependOnTheBatch() throws {
    let lengths = [300, 17, 222]
    let (q, k, v) = shape.inputs(Float.self)
    let attend = ScaledDotProductAttention(mask: .causal)
    let together = try attend(q, KeyValues(keys: k, values: v, lengths: lengths))
    for b in 0..<shape.batch {
      func only(_ tensor: Tensor<Float>) -> Tensor<Float> { tensor.sliced(axis: 0, b..<b + 1) }
      let alone = try attend(
        only(q), KeyValues(keys: only(k), values: only(v), lengths: [lengths[b]]))
      #expect(alone == only(together), "sequence \(b)")
    }
  }

  @Test func concurrentCallersGetTheSame() async throws {
    let (q, k, v) = shape.inputs(Float.self)
    let expected = try ScaledDotProductAttention(on: Pools.one)(q, KeyValues(keys: k, values: v))
    try await withThrowingTaskGroup(of: Tensor<Float>.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try ScaledDotProductAttention(on: Pools.three)(q, KeyValues(keys: k, values: v))
        }
      }
      for try await output in group { #expect(output == expected) }
    }
  }
}
