import Parallelism

/// A checked call with its plan: which kernel computes which blocks, and where every byte of scratch lies. It is what runs.
///
/// One run of the pool serves all groups, whatever computes each; where keys were cut into parts, a second one brings them together.
struct PlannedAttention {
  let problem: AttentionProblem
  let variant: KernelVariant
  let tasks: BlockSchedule
  let scratch: ScratchLayout

  /// Checks a call and plans it.
  ///
  /// - Throws: ``AttentionError`` where something does not fit, or a kernel that is asked for cannot compute the problem.
  init(
    _ attention: ScaledDotProductAttention, _ queries: QueryRows, _ keyValues: KeyValues,
    _ variant: KernelVariant = .best
  ) throws(AttentionError) {
    let problem = try AttentionProblem(attention, queries, keyValues)
    if let kernel = variant.kernel, let refusal = KernelRule.refusal(of: kernel, problem, variant) {
      throw AttentionError(
        "kernel", "\(kernel.rawValue) given for a problem that it cannot compute: \(refusal.rawValue)")
    }
    self.problem = problem
    self.variant = variant
    self.tasks = BlockSchedule(problem, threads: max(1, attention.pool.threadCount), variant)
    self.scratch = ScratchLayout(problem, tasks, variant)
  }

  /// Checks that sequences of tensors that were bound later share what the plan reads once for several of them.
  ///
  /// - Throws: ``AttentionError`` where they do not.
  func checkShared() throws(AttentionError) {
    guard case .many(let groups, let shared) = tasks.groups else { return }
    guard shared.holds(for: problem, groups) else {
      throw AttentionError(
        "keyValues", "sequences with rows of their own given where they shared some when the plan was made")
    }
  }

  /// Computes the problem with scratch memory of the calling thread's.
  ///
  /// - Throws: ``AttentionError`` where the system has not so much; nothing is written then.
  func run(into result: AttentionResult, on pool: WorkerPool) throws(AttentionError) {
    let done: Void? = ThreadScratch.withBytesIfAvailable(scratch.byteCount) {
      run(into: result, on: pool, scratch: $0)
    }
    if done == nil { throw problem.layout.noScratch(scratch.byteCount) }
  }

  /// Computes the problem.
  ///
  /// - Parameter memory: `scratch.byteCount` bytes, aligned to 64, that no other call uses meanwhile.
  func run(
    into result: AttentionResult, on pool: WorkerPool, scratch memory: UnsafeMutableRawBufferPointer
  ) {
    let padding = problem.layout.paddedRows
    if !padding.isEmpty { pool.run(padding.count) { result.clear(padding[$0], problem.sizes) } }
    if case .none = tasks.groups { return }
    switch problem.accumulatorType {
    case .float64: run(as: Double.self, result, pool, memory)
    case .float32: run(as: Float.self, result, pool, memory)
    }
  }

  private func run<Scalar: AttentionAccumulator>(
    as _: Scalar.Type, _ result: AttentionResult, _ pool: WorkerPool, _ memory: UnsafeMutableRawBufferPointer
  ) {
    let partial = PartialResults(scratch.partial(memory), valueDimension: problem.sizes.valueDimension)
    switch tasks.groups {
    case .none: return
    case .one(let group):
      // One kernel for all tasks. A kernel holds several references to the problem: were one made for each task, the threads would wait
      // for each other at its reference count.
      switch group.tiles {
      case .gemm(let tiles):
        let kernel = GEMMAttention<Scalar>(problem, result, variant)
        forEachTask(on: pool, memory) { kernel.attend($0.pieces, of: group, tiles, $0.memory) }
      case .fused(let tiles):
        let kernel = FusedAttention(problem, result, variant.kernels, tiles)
        forEachTask(on: pool, memory) { kernel.attend($0.pieces, of: group, next: $0.next, $0.memory) }
      case .decode(let tiles):
        let kernel = DecodeAttention(problem, result, variant.kernels, partial)
        forEachTask(on: pool, memory) { kernel.attend($0.pieces, of: group, tiles, next: $0.next, $0.memory) }
      }
    case .many(let groups, let shared):
      let decode = DecodeAttention(problem, result, variant.kernels, partial)
      attend(shared, of: groups, decode, pool, memory)
      forEachTask(on: pool, memory) { task in
        switch task.group.tiles {
        case .gemm(let tiles):
          GEMMAttention<Scalar>(problem, result, variant).attend(
            task.pieces, of: task.group, tiles, task.memory)
        case .fused(let tiles):
          FusedAttention(problem, result, variant.kernels, tiles).attend(
            task.pieces, of: task.group, next: task.next, task.memory)
        case .decode(let tiles):
          decode.attend(task.pieces, of: task.group, tiles, next: task.next, task.memory)
        }
      }
    }
    if tasks.partialRows > 0 { merge(partial, result, pool, memory) }
  }

  /// Computes the parts of keys that sequences share. A task is a piece of one head: neighbouring ones follow each other in memory.
  private func attend(
    _ shared: SharedParts, of groups: [BlockGroup], _ decode: DecodeAttention, _ pool: WorkerPool,
    _ memory: UnsafeMutableRawBufferPointer
  ) {
    let heads = problem.sizes.keyValueHeads
    if shared.isEmpty { return }
    pool.runInShares(shared.pieces.count * heads, maximumThreads: tasks.threads) { task, thread in
      let (head, number) = task.quotientAndRemainder(dividingBy: shared.pieces.count)
      let piece = shared.pieces[number]
      decode.attendShared(
        piece.part, of: shared.members[piece.members].map { groups[$0] }, head: head,
        scratch.workspace(of: thread, memory))
    }
  }

  /// Has the pool's threads take all tasks: a share of them each, or in their order.
  private func forEachTask(
    on pool: WorkerPool, _ memory: UnsafeMutableRawBufferPointer, _ body: (AttentionTask) -> Void
  ) {
    if tasks.count == 0 { return }
    if tasks.areShared {
      pool.runInShares(tasks.count, maximumThreads: tasks.threads) { task, thread in
        body(self.task(task, on: thread, memory, tasksBetween: 0))
      }
    } else {
      pool.run(tasks.count, maximumThreads: tasks.threads) { taken, thread in
        body(self.task(tasks.task(after: taken), on: thread, memory, tasksBetween: tasks.threads - 1))
      }
    }
  }

  /// A task.
  ///
  /// - Parameter tasksBetween: tasks that other threads take before this one takes its next.
  private func task(
    _ task: Int, on thread: Int, _ memory: UnsafeMutableRawBufferPointer, tasksBetween: Int
  ) -> AttentionTask {
    let group = tasks.group(of: task)
    let pieces = group.pieces(of: task)
    return AttentionTask(
      group: group, pieces: pieces, memory: scratch.workspace(of: thread, memory),
      next: pieces.upperBound + tasksBetween * group.blocksPerTask)
  }

  /// Merging is cheap: use several threads only from four blocks a thread on.
  private func merge(
    _ partial: PartialResults, _ result: AttentionResult, _ pool: WorkerPool,
    _ memory: UnsafeMutableRawBufferPointer
  ) {
    tasks.groups.forEach { group in
      guard case .decode(let tiles) = group.tiles, tiles.parts > 1 else { return }
      let threads = group.blockCount < 4 * tasks.threads ? 1 : tasks.threads
      pool.run(group.blockCount, maximumThreads: threads) { number, thread in
        DecodeAttention(problem, result, variant.kernels, partial).merge(
          number, of: group, tiles, scratch.workspace(of: thread, memory))
      }
    }
  }
}

/// What a thread takes at a time.
struct AttentionTask {
  let group: BlockGroup
  /// Blocks, or parts of their keys where these are cut.
  let pieces: Range<Int>
  /// The thread's workspace.
  let memory: UnsafeMutableRawBufferPointer
  /// The piece that this thread probably computes after these.
  let next: Int
}

/// Where a call's scratch memory lies: a workspace for each thread, then the results of parts.
struct ScratchLayout: Sendable {
  let threads: Int
  /// A thread's workspace, for the tiles of any group.
  let workspaceBytes: Int
  let partialBytes: Int

  init(_ problem: AttentionProblem, _ tasks: BlockSchedule, _ variant: KernelVariant) {
    threads = tasks.threads
    var largest = 0
    tasks.groups.forEach {
      largest = max(largest, $0.headsTogether * $0.tiles.workspaceBytes(problem, variant.kernels))
    }
    if case .many(let groups, let shared) = tasks.groups {
      largest = max(largest, shared.workspaceBytes(problem, groups))
    }
    // Whole pages: no two threads write to neighbouring lines.
    workspaceBytes = (largest + 4095) / 4096 * 4096
    partialBytes = PartialResults.byteCount(
      rows: tasks.partialRows, valueDimension: problem.sizes.valueDimension)
  }

  var byteCount: Int { threads * workspaceBytes + partialBytes }

  func workspace(of thread: Int, _ memory: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      rebasing: memory[thread * workspaceBytes..<(thread + 1) * workspaceBytes])
  }

  func partial(_ memory: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[(threads * workspaceBytes)...])
  }
}
