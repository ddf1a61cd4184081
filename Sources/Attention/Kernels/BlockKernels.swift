import Parallelism

/// The kernels that a plan's groups need, and the loop over its tasks.
///
/// One run of the pool serves all groups, whatever computes each; where keys were cut into parts, a second one brings them together.
struct BlockKernels<Scalar: AttentionAccumulator> {
  private let plan: AttentionPlan
  private let gemm: GEMMAttention<Scalar>?
  /// Those that keep scores in Float.
  private let fused: FusedAttention?
  private let decode: DecodeAttention?
  private let valueDimension: Int

  init(
    _ problem: AttentionProblem, _ plan: AttentionPlan, _ result: AttentionResult, _ variant: KernelVariant
  ) {
    self.plan = plan
    self.valueDimension = problem.sizes.valueDimension
    func uses(_ kernel: AttentionPlan.Kernel) -> Bool {
      plan.tasks.groups.contains { $0.tiles.kernel == kernel }
    }
    gemm = uses(.gemm) ? GEMMAttention(problem, result, variant) : nil
    fused = uses(.fused) ? FusedAttention(problem, result, variant.kernels) : nil
    decode = uses(.decode) ? DecodeAttention(problem, result, variant.kernels) : nil
  }

  func run(on pool: WorkerPool) {
    let tasks = plan.tasks
    let floats = PartialResults.floatCount(tasks.groups, valueDimension: valueDimension)
    ThreadScratch.withBytes(floats * MemoryLayout<Float>.size) { memory in
      let partial = PartialResults(memory, valueDimension: valueDimension)
      pool.run(tasks.count, maximumThreads: plan.threads) { task in
        let (group, pieces) = tasks.work(of: task)
        attend(pieces, of: group, partial)
      }
      if floats > 0 { merge(partial, on: pool) }
    }
  }

  private func attend(_ pieces: Range<Int>, of group: BlockGroup, _ partial: PartialResults) {
    switch group.tiles {
    case .gemm(let tiles): gemm?.attend(pieces, of: group, tiles)
    case .fused(let tiles):
      // The others take the pieces between; this thread's next ones come after those.
      let next = pieces.upperBound + (plan.threads - 1) * group.blocksPerTask
      fused?.attend(pieces, of: group, tiles, next: next)
    case .decode(let tiles):
      for piece in pieces {
        let (block, part) = piece.quotientAndRemainder(dividingBy: tiles.parts)
        decode?.attend(block, part: part, of: group, tiles, partial)
      }
    }
  }

  /// Merging moves little memory; a thread is worth its hand-over for some blocks together.
  private func merge(_ partial: PartialResults, on pool: WorkerPool) {
    for group in plan.tasks.groups where group.tiles.parts > 1 {
      guard case .decode(let tiles) = group.tiles else { continue }
      let threads = group.blockCount < 4 * plan.threads ? 1 : plan.threads
      pool.run(group.blockCount, maximumThreads: threads) { decode?.merge($0, of: group, tiles, partial) }
    }
  }
}
