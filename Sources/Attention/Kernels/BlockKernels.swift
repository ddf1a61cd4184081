import Parallelism

/// The kernels that a schedule's groups need, and the loop over its tasks.
///
/// One run of the pool serves all groups, whatever computes each; where keys were cut into parts, a second one brings them together.
struct BlockKernels<Scalar: AttentionAccumulator> {
  private let tasks: BlockSchedule
  private let gemm: GEMMAttention<Scalar>?
  /// Those that keep scores in Float.
  private let fused: FusedAttention?
  private let decode: DecodeAttention?
  private let valueDimension: Int

  init(
    _ problem: AttentionProblem, _ tasks: BlockSchedule, _ result: AttentionResult, _ variant: KernelVariant
  ) {
    self.tasks = tasks
    self.valueDimension = problem.sizes.valueDimension
    gemm = tasks.kernels.gemm ? GEMMAttention(problem, result, variant) : nil
    fused = tasks.kernels.fused ? FusedAttention(problem, result, variant.kernels) : nil
    decode = tasks.kernels.decode ? DecodeAttention(problem, result, variant.kernels) : nil
  }

  func run(on pool: WorkerPool) {
    let floats = PartialResults.floatCount(rows: tasks.partialRows, valueDimension: valueDimension)
    ThreadScratch.withBytes(floats * MemoryLayout<Float>.size) { memory in
      let partial = PartialResults(memory, valueDimension: valueDimension)
      pool.run(tasks.count, maximumThreads: tasks.threads) { task in
        let (group, pieces) = tasks.work(of: task)
        attend(pieces, of: group, partial)
      }
      if floats > 0 { merge(partial, on: pool) }
    }
  }

  private func attend(_ pieces: Range<Int>, of group: BlockGroup, _ partial: PartialResults) {
    // The others take the pieces between; this thread's next ones come after those.
    let next = pieces.upperBound + (tasks.threads - 1) * group.blocksPerTask
    switch group.tiles {
    case .gemm(let tiles): gemm?.attend(pieces, of: group, tiles)
    case .fused(let tiles): fused?.attend(pieces, of: group, tiles, next: next)
    case .decode(let tiles): decode?.attend(pieces, of: group, tiles, partial, next: next)
    }
  }

  /// Merging moves little memory; a thread is worth its hand-over for some blocks together.
  private func merge(_ partial: PartialResults, on pool: WorkerPool) {
    tasks.groups.forEach { group in
      guard case .decode(let tiles) = group.tiles, tiles.parts > 1 else { return }
      let threads = group.blockCount < 4 * tasks.threads ? 1 : tasks.threads
      pool.run(group.blockCount, maximumThreads: threads) { decode?.merge($0, of: group, tiles, partial) }
    }
  }
}
