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
struct FusedAttention {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let tiles: FusedTiles
  private let layout: FusedWorkspaceLayout
  private let keys: StoredRows
  private let values: StoredRows
  private let queries: FusedQueries
  private let masks: FusedMasks
  private let finish: FusedFinish
  private let attendPairs: AttendBlock
  /// With ALiBi the last keys of a causal row have the largest scores. Where they come first, weights are rescaled once; coming last, they
  /// have all sums and outputs rescaled each time that scores have grown by 40 powers of two.
  private let startsWithLastKeys: Bool

  init(
    _ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable, _ tiles: FusedTiles
  ) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.tiles = tiles
    self.layout = tiles.workspace(problem, kernels)
    self.keys = StoredRows(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.values = StoredRows(problem.values, columns: problem.sizes.valueDimension, kernels)
    self.queries = FusedQueries(problem, kernels)
    self.masks = FusedMasks(problem, kernels)
    self.finish = FusedFinish(problem, result, kernels)
    self.startsWithLastKeys = problem.scoring.alibiSlopes != nil
    self.attendPairs =
      switch result.sumForLogSumExp {
      case .exact: kernels.pointee.attend_block_bf16_with_mass
      case .asMultiplied, nil: kernels.pointee.attend_block_bf16
      }
  }

  private typealias AttendBlock =
    @convention(c) (UnsafePointer<CAttentionKernels_block>?, UnsafeMutablePointer<CAttentionKernels_panel>?)
    -> Void

  /// Computes some blocks of a group; `next` is the block that this thread probably computes after them.
  func attend(
    _ blocks: Range<Int>, of group: BlockGroup, next: Int, _ memory: UnsafeMutableRawBufferPointer
  ) {
    let work = FusedWorkspace(memory, layout)
    for number in blocks {
      let following = number + 1 < blocks.upperBound ? number + 1 : next
      attend(group.block(number), following < group.blockCount ? group.block(following) : nil, work)
    }
  }

  private func attend(_ block: RowBlock, _ next: RowBlock?, _ work: FusedWorkspace) {
    let (seen, hidden) = queries.load(block, pairs: tiles.multipliesPairs, work)
    if !seen.isEmpty {
      let parts = KeyBlocks(
        seen, hiddenFromAll: hidden, block.extent.positions, size: tiles.keys,
        startsWithLast: startsWithLastKeys)
      for part in 0..<parts.count {
        let (keys, following) = (parts[part], parts[part + 1])
        for index in 0..<CAttentionKernels_hint_count { work.hints[index] = CAttentionKernels_hint() }
        let hints = work.hints + FusedMasks.prefetches
        if following.isEmpty {
          hints[0] = finish.prefetch(block)
          if let next { prefetch(next, after: block, hints + 1) }
        } else {
          hints[0] = self.keys.prefetch(following, block)
          hints[1] = values.prefetch(following, block)
        }
        let tile = following.isEmpty ? next.map { (keys: firstKeys($0), block: $0) } : (following, block)
        attend(keys, of: block, before: tile, work)
      }
    }
    finish.write(block, work.panelCount(block), pairs: tiles.multipliesPairs, work)
  }

  /// Brings one block of keys and values before all panels; `next` is what each panel sees after it.
  private func attend(
    _ range: Range<Int>, of block: RowBlock, before next: (keys: Range<Int>, block: RowBlock)?,
    _ work: FusedWorkspace
  ) {
    var arguments = CAttentionKernels_block()
    arguments.first = range.lowerBound
    arguments.count = range.count
    arguments.head_dim = problem.sizes.headDimension
    arguments.value_dim = problem.sizes.valueDimension
    (arguments.scale, arguments.factor) = (queries.units.scale, queries.units.factor)
    arguments.softcap = queries.units.softcap
    arguments.scratch = work.scratch
    arguments.hints = work.hints
    arguments.hint_rows = hintRows(range.count, work.panelCount(block), work)
    var isLoaded = false
    for index in 0..<work.panelCount(block) {
      let panel = work.panels + index
      queries.place(panel, index, before: range, of: block, work)
      if !masks.load(range, work.rows(ofPanel: index, block), of: block, into: panel, work) { continue }
      if let next {
        masks.prefetch(work.hints, next.keys, work.rows(ofPanel: index, next.block), of: next.block)
      }
      if !isLoaded { load(range, of: block, into: &arguments, work) }
      isLoaded = true
      if tiles.multipliesPairs {
        attendPairs(&arguments, panel)
      } else {
        kernels.pointee.attend_block_f32(&arguments, panel)
      }
    }
  }

  /// How many rows each tile prefetches: so many that all are, before the block's tiles are done, and a row of a tile's keys at least.
  private func hintRows(_ keys: Int, _ panels: Int, _ work: FusedWorkspace) -> Int {
    var rows = 0
    for index in FusedMasks.prefetches..<Int(CAttentionKernels_hint_count) { rows += work.hints[index].rows }
    let tileKeys = kernels.pointee.tile_keys
    let tiles = panels * ((keys + tileKeys - 1) / tileKeys)
    return max(tileKeys, (rows + tiles - 1) / max(tiles, 1))
  }

  /// Finds a block of keys and values in the form that the kernel takes, where they lie or converted.
  private func load(
    _ range: Range<Int>, of block: RowBlock, into arguments: inout CAttentionKernels_block,
    _ work: FusedWorkspace
  ) {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let (sequence, head) = (block.sequence, block.keyValueHead)
    if tiles.multipliesPairs {
      let keys = self.keys.words(range, sequence, head, work.keys)
      let values = self.values.words(range, sequence, head, work.keys + range.count * (depth + 1) / 2)
      (arguments.keys, arguments.key_stride) = (UnsafeRawPointer(keys.base), keys.stride)
      kernels.pointee.pack_value_pairs(work.values, values.base, values.stride, range.count, width)
      (arguments.values, arguments.value_stride) = (UnsafeRawPointer(work.values), width)
    } else {
      let keys = self.keys.floats(range, sequence, head, work.keys)
      let values = self.values.floats(range, sequence, head, work.values)
      (arguments.keys, arguments.key_stride) = (UnsafeRawPointer(keys.base), keys.leadingDimension)
      (arguments.values, arguments.value_stride) = (UnsafeRawPointer(values.base), values.leadingDimension)
    }
  }

  /// The keys that a block of rows starts with, if it sees all of them.
  private func firstKeys(_ block: RowBlock) -> Range<Int> {
    KeyBlocks(
      0..<block.extent.keyCount, hiddenFromAll: 0..<0, block.extent.positions, size: tiles.keys,
      startsWithLast: startsWithLastKeys)[0]
  }

  /// Prefetches what the next block starts with: its queries where they follow each other, its first keys and values where it has others.
  private func prefetch(
    _ next: RowBlock, after block: RowBlock, _ hints: UnsafeMutablePointer<CAttentionKernels_hint>
  ) {
    hints[0] = queries.prefetch(next)
    if next.sequence != block.sequence || next.keyValueHead != block.keyValueHead {
      let keys = firstKeys(next)
      hints[1] = self.keys.prefetch(keys, next)
      hints[2] = self.values.prefetch(keys, next)
    }
  }
}

/// log₂ e: softmax is computed in powers of two, which cost an instruction less.
let binaryOrders = 1.4426950408889634

/// A thread's workspace for the fused kernel.
struct FusedWorkspace {
  let scratch: UnsafeMutablePointer<Float>
  let panels: UnsafeMutablePointer<CAttentionKernels_panel>
  /// What kernels prefetch while they compute.
  let hints: UnsafeMutablePointer<CAttentionKernels_hint>
  let ranges: VisibleRanges
  let slopes: UnsafeMutablePointer<Float>
  let positions: UnsafeMutablePointer<Int64>
  /// The same, less the positions that have no key.
  let shiftedPositions: UnsafeMutablePointer<Int64>
  let factors: UnsafeMutablePointer<Float>
  let exact: UnsafeMutablePointer<UInt8>
  let finite: UnsafeMutablePointer<UInt8>
  let keys: UnsafeMutablePointer<Float>
  let values: UnsafeMutablePointer<Float>
  let rows: UnsafeMutablePointer<Float>
  let bias: UnsafeMutablePointer<Float>
  let visible: UnsafeMutablePointer<UInt32>
  let panelRows: Int

  /// How many panels hold the rows of a block.
  func panelCount(_ block: RowBlock) -> Int { (block.rows.count + panelRows - 1) / panelRows }

  /// The rows of a panel, counted in the block; none where the block has fewer panels.
  func rows(ofPanel index: Int, _ block: RowBlock) -> Range<Int> {
    let first = min(index * panelRows, block.rows.count)
    return first..<min(first + panelRows, block.rows.count)
  }

  init(_ memory: UnsafeMutableRawBufferPointer, _ layout: FusedWorkspaceLayout) {
    guard let base = memory.baseAddress, memory.count >= layout.byteCount else {
      preconditionFailure("a workspace of \(memory.count) bytes, \(layout.byteCount) needed")
    }
    func piece<T>(_ offset: Int, _: T.Type) -> UnsafeMutablePointer<T> {
      (base + offset).assumingMemoryBound(to: T.self)
    }
    panelRows = layout.panelRows
    scratch = piece(layout.scratch, Float.self)
    ranges = VisibleRanges(
      piece(layout.ranges, Int32.self), stride: layout.panelCount * panelRows)
    slopes = piece(layout.slopes, Float.self)
    positions = piece(layout.positions, Int64.self)
    shiftedPositions = positions + layout.panelCount * panelRows
    factors = piece(layout.factors, Float.self)
    exact = piece(layout.exact, UInt8.self)
    finite = piece(layout.finite, UInt8.self)
    keys = piece(layout.keys, Float.self)
    values = piece(layout.values, Float.self)
    rows = piece(layout.rows, Float.self)
    bias = piece(layout.bias, Float.self)
    visible = piece(layout.visible, UInt32.self)
    panels = piece(layout.panels, CAttentionKernels_panel.self)
    hints = piece(layout.hints, CAttentionKernels_hint.self)
    let (queries, output) = (piece(layout.queries, Float.self), piece(layout.output, Float.self))
    let state = piece(layout.state, Float.self)
    for index in 0..<layout.panelCount {
      var panel = CAttentionKernels_panel()
      panel.queries = UnsafePointer(queries + index * layout.queryStride)
      panel.output = output + index * layout.outputStride
      panel.origin = state + index * 5 * panelRows
      panel.shift = panel.origin + panelRows
      panel.threshold = panel.shift + panelRows
      panel.sum = panel.threshold + panelRows
      panel.mass = panel.sum + panelRows
      (panels + index).initialize(to: panel)
    }
  }
}
