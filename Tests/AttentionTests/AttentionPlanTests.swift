import Attention
import CAttentionKernels
import TestSupport
import Testing

@Suite struct AttentionPlanTests {
  private func plan<E: AttentionElement>(
    _ shape: ProblemShape, _: E.Type, _ mask: AttentionMask = .none
  ) throws -> AttentionPlan {
    func giant(_ shape: Shape) throws -> Tensor<E> {
      try Tensor<E>.zeros([1, 1, 1, shape[3]]).broadcast(to: shape)
    }
    return try ScaledDotProductAttention(mask: mask, on: Pools.three).plan(
      giant([shape.batch, shape.heads.query, shape.queries, shape.headDimension]),
      KeyValues(
        keys: giant([shape.batch, shape.heads.keyValue, shape.keys, shape.headDimension]),
        values: giant([shape.batch, shape.heads.keyValue, shape.keys, shape.valueDimension])))
  }

  @Test func workspaceDoesNotGrowWithTheProblem() throws {
    for (queries, keys, heads) in [
      (1, 32_768, 8), (8192, 8192, 1), (2048, 2048, 4), (1_000_000, 1_000_000, 1),
    ] {
      for width in [64, 128, 256, 8192, 16384] {
        let shape = ProblemShape(
          heads: HeadCounts(query: heads, keyValue: 1), queries: queries, keys: keys, headDimension: width,
          valueDimension: width)
        #expect(try plan(shape, Float.self).workspaceBytesPerThread < 4 << 20, "\(shape)")
        #expect(try plan(shape, Double.self).workspaceBytesPerThread < 4 << 20, "\(shape)")
        #expect(try plan(shape, BFloat16.self).workspaceBytesPerThread < 4 << 20, "\(shape)")
      }
    }
  }

  @Test func tilesDoNotDependOnBatchOrThreads() throws {
    var shape = ProblemShape(queries: 500, keys: 700, headDimension: 64, valueDimension: 64)
    let alone = try plan(shape, Float.self)
    shape.batch = 9
    let together = try plan(shape, Float.self)
    #expect(alone.queryTile == together.queryTile && alone.keyTile == together.keyTile)
    #expect(together.taskCount > alone.taskCount)
  }

  @Test func smallProblemsStayOnOneThread() throws {
    let small = ProblemShape(queries: 32, keys: 32, headDimension: 32, valueDimension: 32)
    let large = ProblemShape(
      heads: HeadCounts(query: 8, keyValue: 8), queries: 512, keys: 512, headDimension: 64, valueDimension: 64
    )
    #expect(try plan(small, Float.self).threads == 1)
    #expect(try plan(large, Float.self).threads == 3)
  }

  @Test func saysWhatItChoseAndWhy() throws {
    let shape = ProblemShape(
      batch: 2, heads: HeadCounts(query: 8, keyValue: 2), queries: 100, keys: 300, headDimension: 64,
      valueDimension: 64)
    let bias = AttentionMask.additive(Tensor<Float>.zeros([300]))
    let modifier = AttentionMask.modifier(ScoreModifier { score, _ in score })
    let fused = try plan(shape, BFloat16.self, .causal & bias)
    let gemm = try plan(shape, BFloat16.self, .causal & modifier)
    let few = ProblemShape(
      heads: HeadCounts(query: 8, keyValue: 2), queries: 1, keys: 2000, headDimension: 64, valueDimension: 64)
    let decode = try self.plan(few, Float16.self)
    for (plan, parts) in [
      (gemm, ["gemm", "modifier", "converted from bfloat16", "4 query heads of a group"]),
      (
        decode,
        isNarrow
          ? ["gemm"] : ["decode", "4 query rows a key/value head, at most", "2 key/value head", "parts of"]
      ),
      (fused, [isNarrow ? "gemm" : "fused", "additive", "2 sequences of one size × 2 key/value heads"]),
    ] {
      let text = plan.description
      let all =
        parts + [
          "\(plan.queryTile) query rows", "\(plan.keyTile) keys", "\(plan.workspaceBytesPerThread) bytes",
          "on \(plan.threads) thread",
        ]
      for part in all { #expect(text.contains(part), "\(part) in\n\(text)") }
    }
  }

  /// Whether the set that runs has no vectors for kernels of our own.
  private var isNarrow: Bool { CAttentionKernels_active().pointee.panel_rows < 8 }

  /// The rule, as it is written down: by rows of a key/value head, by type and by what changes scores.
  @Test func choosesByTheRule() throws {
    func kernel<E: AttentionElement>(
      _ queries: Int, _: E.Type, _ mask: AttentionMask = .causal
    ) throws -> AttentionPlan.Kernel {
      let shape = ProblemShape(
        heads: HeadCounts(query: 4, keyValue: 1), queries: queries, keys: 600, headDimension: 32,
        valueDimension: 32)
      return try plan(shape, E.self, mask).kernel
    }
    let decode = isNarrow ? AttentionPlan.Kernel.gemm : .decode
    let fused = isNarrow ? AttentionPlan.Kernel.gemm : .fused
    let kernels = CAttentionKernels_active().pointee
    let isWide = kernels.panel_rows >= 32
    let most = isWide ? 5 : 2
    #expect(try kernel(most, Float.self) == decode && kernel(most + 1, Float.self) == fused)
    #expect(try kernel(most, Float16.self) == decode && kernel(most + 1, Float16.self) == fused)
    let mostPairs = isWide && kernels.dots_bf16_pairs != 0 ? 2 : most
    #expect(try kernel(mostPairs, BFloat16.self) == decode && kernel(mostPairs + 1, BFloat16.self) == fused)
    #expect(try kernel(2, Double.self) == .gemm && kernel(300, Double.self) == .gemm)
    let modifier = AttentionMask.modifier(ScoreModifier { score, _ in score })
    let hiding = AttentionMask.boolean(Tensor<Bool>(repeating: true, shape: [600]))
    #expect(try kernel(2, Float.self, modifier) == decode && kernel(300, Float.self, modifier) == .gemm)
    for mask in [hiding, .additive(Tensor<Float>.zeros([600]))] {
      #expect(try kernel(2, Float.self, mask) == decode && kernel(300, Float.self, mask) == fused)
    }
    #expect(try kernel(300, Float.self, .alibi(slopes: [1, 2, 3, 4]) & .window(left: 20)) == fused)
  }
}
