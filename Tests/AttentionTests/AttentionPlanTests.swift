import Attention
import Testing

@Suite struct AttentionPlanTests {
  private func plan<E: AttentionElement>(
    _ shape: ProblemShape, _: E.Type, _ mask: AttentionMask = .none
  ) throws -> AttentionPlan {
    func giant(_ shape: Shape) throws -> Tensor<E> {
      try Tensor<E>.zeros([1, 1, 1, shape[3]]).broadcast(to: shape)
    }
    return try AttentionPlan(
      queries: giant([shape.batch, shape.queryHeads, shape.queries, shape.headDimension]),
      keys: giant([shape.batch, shape.keyValueHeads, shape.keys, shape.headDimension]),
      values: giant([shape.batch, shape.keyValueHeads, shape.keys, shape.valueDimension]), mask: mask,
      on: Pools.three)
  }

  @Test func workspaceDoesNotGrowWithTheProblem() throws {
    for (queries, keys, heads) in [
      (1, 32_768, 8), (8192, 8192, 1), (2048, 2048, 4), (1_000_000, 1_000_000, 1),
    ] {
      for width in [64, 128, 256, 8192, 16384] {
        let shape = ProblemShape(
          queryHeads: heads, keyValueHeads: 1, queries: queries, keys: keys, headDimension: width,
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
      queryHeads: 8, keyValueHeads: 8, queries: 512, keys: 512, headDimension: 64, valueDimension: 64)
    #expect(try plan(small, Float.self).threads == 1)
    #expect(try plan(large, Float.self).threads == 3)
  }

  @Test func saysWhatItChoseAndWhy() throws {
    let shape = ProblemShape(
      batch: 2, queryHeads: 8, keyValueHeads: 2, queries: 100, keys: 300, headDimension: 64,
      valueDimension: 64)
    let plan = try plan(shape, BFloat16.self, .causal)
    let text = plan.description
    for part in [
      "gemm", "\(plan.queryTile) query rows", "\(plan.keyTile) keys", "4 query heads of a group",
      "converted from bfloat16", "\(plan.taskCount) of 12 blocks",
      "2 sequences of one size × 2 key/value heads",
      "\(plan.workspaceBytesPerThread) bytes",
    ] {
      #expect(text.contains(part), "\(part) in\n\(text)")
    }
  }
}
