import CAttentionKernels
import Parallelism

/// Attention as register-blocked tiles of our own, with the softmax between the two products and no matrix of scores.
///
/// A block of query rows is cut into panels of two vectors, whose lanes are queries: `row r` is query `r / G` of the group's head `r % G`,
/// as in ``RowBlock``, so one panel holds all query heads of a group and neighbouring lanes see nearly the same keys. Each block of keys
/// and values passes all panels of a task while it is in the second-level cache. Blocks of keys start at multiples of their size: what a
/// row comes to does not depend on the rows that it is computed with.
///
/// The tiles, and what they do with ranges, ALiBi and softcap, are in `CAttentionKernels/fused.inc`.
final class FusedAttention {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let keys: FusedSource
  private let values: FusedSource
  private let queries: FusedQueries
  private let finish: FusedFinish

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.keys = FusedSource(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.values = FusedSource(problem.values, columns: problem.sizes.valueDimension, kernels)
    self.queries = FusedQueries(problem, kernels)
    self.finish = FusedFinish(problem, result, kernels)
  }

  /// Computes some blocks of a group; `next` is the block that this thread probably computes after them.
  func attend(_ blocks: Range<Int>, of group: BlockGroup, _ tiles: FusedTiles, next: Int) {
    let layout = tiles.workspace(problem.sizes, kernels)
    ThreadScratch.withBytes(layout.byteCount) { memory in
      let work = FusedWorkspace(memory, layout)
      for number in blocks {
        let following = number + 1 < blocks.upperBound ? number + 1 : next
        attend(
          group.block(number), following < group.blockCount ? group.block(following) : nil, tiles, work)
      }
    }
  }

  private func attend(_ block: RowBlock, _ next: RowBlock?, _ tiles: FusedTiles, _ work: FusedWorkspace) {
    let panels = (block.rows.count + work.panelRows - 1) / work.panelRows
    let seen = queries.load(block, pairs: tiles.multipliesPairs, work)
    if !seen.isEmpty {
      var first = seen.lowerBound / tiles.keys * tiles.keys
      while first < seen.upperBound {
        let keys = first..<min(first + tiles.keys, seen.upperBound)
        let following = keys.upperBound..<min(keys.upperBound + tiles.keys, seen.upperBound)
        attend(keys, of: block, panels, tiles, work) { ahead in
          if following.isEmpty {
            ahead[0] = self.finish.ahead(block)
            if let next { self.ask(for: next, after: block, tiles, ahead + 1) }
          } else {
            ahead[0] = self.keys.ahead(following, block)
            ahead[1] = self.values.ahead(following, block)
          }
        }
        first = keys.upperBound
      }
    }
    finish.write(block, panels, pairs: tiles.multipliesPairs, work)
  }

  /// Brings one block of keys and values before all panels.
  private func attend(
    _ range: Range<Int>, of block: RowBlock, _ panels: Int, _ tiles: FusedTiles, _ work: FusedWorkspace,
    _ look: (UnsafeMutablePointer<CAttentionKernels_ahead>) -> Void
  ) {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    withUnsafeTemporaryAllocation(of: CAttentionKernels_ahead.self, capacity: CAttentionKernels_aheads) {
      ahead in
      ahead.initialize(repeating: CAttentionKernels_ahead())
      guard let ahead = ahead.baseAddress else { return }
      look(ahead)
      let softcap = problem.scoring.softcap
      var arguments = CAttentionKernels_block()
      arguments.first = range.lowerBound
      arguments.count = range.count
      arguments.head_dim = depth
      arguments.value_dim = width
      arguments.factor = queries.factor
      arguments.softcap = softcap.map { Float($0 * binaryOrders) } ?? 0
      arguments.scratch = work.scratch
      arguments.ahead = ahead
      if tiles.multipliesPairs {
        let keys = self.keys.words(range, block, work.keys)
        let values = self.values.words(range, block, work.keys + range.count * (depth + 1) / 2)
        (arguments.keys, arguments.key_stride) = (UnsafeRawPointer(keys.base), keys.stride)
        kernels.pointee.pack_value_pairs(work.values, values.base, values.stride, range.count, width)
        (arguments.values, arguments.value_stride) = (UnsafeRawPointer(work.values), width)
        for panel in 0..<panels { kernels.pointee.attend_block_bf16(&arguments, work.panels + panel) }
      } else {
        let keys = self.keys.floats(range, block, work.keys)
        let values = self.values.floats(range, block, work.values)
        (arguments.keys, arguments.key_stride) = (UnsafeRawPointer(keys.base), keys.leadingDimension)
        (arguments.values, arguments.value_stride) = (UnsafeRawPointer(values.base), values.leadingDimension)
        for panel in 0..<panels { kernels.pointee.attend_block_f32(&arguments, work.panels + panel) }
      }
    }
  }

  /// What the next block starts with: its queries where they follow each other, its first keys and values where it has others.
  private func ask(
    for next: RowBlock, after block: RowBlock, _ tiles: FusedTiles,
    _ ahead: UnsafeMutablePointer<CAttentionKernels_ahead>
  ) {
    ahead[0] = queries.ahead(next)
    if next.sequence != block.sequence || next.keyValueHead != block.keyValueHead {
      let keys = 0..<min(tiles.keys, next.extent.keyCount)
      ahead[1] = self.keys.ahead(keys, next)
      ahead[2] = self.values.ahead(keys, next)
    }
  }
}

/// log₂ e: softmax is computed in powers of two, which cost an instruction less.
let binaryOrders = 1.4426950408889634

/// A thread's workspace for the fused kernel.
struct FusedWorkspace {
  let scratch: UnsafeMutablePointer<Float>
  let panels: UnsafeMutablePointer<CAttentionKernels_panel>
  let begin: UnsafeMutablePointer<Int32>
  let end: UnsafeMutablePointer<Int32>
  let slopes: UnsafeMutablePointer<Float>
  let positions: UnsafeMutablePointer<Int64>
  let factors: UnsafeMutablePointer<Float>
  let exact: UnsafeMutablePointer<UInt8>
  let finite: UnsafeMutablePointer<UInt8>
  let keys: UnsafeMutablePointer<Float>
  let values: UnsafeMutablePointer<Float>
  let rows: UnsafeMutablePointer<Float>
  let panelRows: Int

  init(_ memory: UnsafeMutableRawBufferPointer, _ layout: FusedWorkspaceLayout) {
    guard let base = memory.baseAddress, memory.count >= layout.byteCount else {
      preconditionFailure("a workspace of \(memory.count) bytes, \(layout.byteCount) needed")
    }
    func piece<T>(_ offset: Int, _: T.Type) -> UnsafeMutablePointer<T> {
      (base + offset).assumingMemoryBound(to: T.self)
    }
    panelRows = layout.panelRows
    scratch = piece(layout.scratch, Float.self)
    begin = piece(layout.ranges, Int32.self)
    end = begin + layout.panelCount * panelRows
    slopes = piece(layout.slopes, Float.self)
    positions = piece(layout.positions, Int64.self)
    factors = piece(layout.factors, Float.self)
    exact = piece(layout.exact, UInt8.self)
    finite = piece(layout.finite, UInt8.self)
    keys = piece(layout.keys, Float.self)
    values = piece(layout.values, Float.self)
    rows = piece(layout.rows, Float.self)
    panels = piece(layout.panels, CAttentionKernels_panel.self)
    let (queries, output) = (piece(layout.queries, Float.self), piece(layout.output, Float.self))
    let state = piece(layout.state, Float.self)
    for index in 0..<layout.panelCount {
      var panel = CAttentionKernels_panel()
      panel.queries = UnsafePointer(queries + index * layout.queryStride)
      panel.output = output + index * layout.outputStride
      panel.shift = state + index * 4 * panelRows
      panel.threshold = panel.shift + panelRows
      panel.sum = panel.threshold + panelRows
      panel.mass = panel.sum + panelRows
      (panels + index).initialize(to: panel)
    }
  }
}
