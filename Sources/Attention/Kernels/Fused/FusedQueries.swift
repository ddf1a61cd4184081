import CAttentionKernels

/// Queries on their way into panels, with what each row sees and the numbers that its rules need.
struct FusedQueries {
  private let problem: AttentionProblem
  private let kernels: KernelTable
  private let load: RowKernels<Float>.Load
  private let slopes: [Float]?
  private let isReadInPlace: Bool
  /// How products become exponents.
  let units: FusedUnits

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.problem = problem
    self.kernels = kernels
    self.load = RowKernels<Float>(kernels).load(problem.elementType)
    self.isReadInPlace = problem.queries.columnStride == 1 || problem.sizes.headDimension == 1
    let units = FusedUnits(problem)
    self.units = units
    self.slopes = problem.scoring.alibiSlopes.map { $0.map { Float($0 / units.natural) } }
  }

  /// Packs a block's queries into its panels and empties their state; the keys from the first to the last one that some row sees, and those
  /// among them that no row sees.
  func load(
    _ block: RowBlock, pairs: Bool, _ work: FusedWorkspace
  ) -> (seen: Range<Int>, hidden: Range<Int>) {
    let width = work.panelRows
    let seen = findRanges(block, work)
    let isRestricted = !problem.visibility.isUnrestricted
    for first in stride(from: 0, to: block.rows.count, by: width) {
      let count = min(width, block.rows.count - first)
      let panel = work.panels + first / width
      panel.pointee.rows = count
      panel.pointee.has_output = 0
      panel.pointee.has_origin = 0
      panel.pointee.origin.update(repeating: -.infinity, count: width)
      panel.pointee.threshold.update(repeating: -.infinity, count: width)
      panel.pointee.shift.update(repeating: 0, count: width)
      panel.pointee.sum.update(repeating: 0, count: width)
      panel.pointee.mass.update(repeating: 0, count: width)
      panel.pointee.begin = isRestricted ? UnsafePointer(work.ranges.begin + first) : nil
      panel.pointee.end = isRestricted ? UnsafePointer(work.ranges.end + first) : nil
      setSlopes(of: panel, block, first, count, work)
      pack(panel, block, first..<first + count, pairs: pairs, work)
    }
    return seen
  }

  /// Finds what each row sees. Lanes past the last row of a panel repeat it, so that they need no mask of their own.
  private func findRanges(
    _ block: RowBlock, _ work: FusedWorkspace
  ) -> (seen: Range<Int>, hidden: Range<Int>) {
    if problem.visibility.isUnrestricted { return (0..<block.extent.keyCount, 0..<0) }
    let extent = problem.findRanges(block, work.ranges)
    let count = block.rows.count
    let lanes = (count + work.panelRows - 1) / work.panelRows * work.panelRows
    for lane in count..<max(count, lanes) {
      work.ranges.copy(count - 1, to: lane, withHoles: problem.hasHoles)
    }
    return (extent.seenBySome, problem.hasHoles ? extent.hiddenFromAll : 0..<0)
  }

  private func setSlopes(
    of panel: UnsafeMutablePointer<CAttentionKernels_panel>, _ block: RowBlock, _ first: Int, _ count: Int,
    _ work: FusedWorkspace
  ) {
    guard let slopes else {
      panel.pointee.slopes = nil
      return
    }
    for lane in 0..<work.panelRows {
      let index = block.index(first + min(lane, count - 1))
      work.slopes[first + lane] = slopes[index.head]
      let position = index.query + block.extent.offset
      work.positions[first + lane] = Int64(position)
      work.shiftedPositions[first + lane] = Int64(position - block.extent.positions.skipped)
    }
    panel.pointee.slopes = UnsafePointer(work.slopes + first)
  }

  /// Has the distances of ALiBi counted from a block of keys' own positions: kernels count rows, and where positions are missing before
  /// these, queries stand as many rows nearer.
  func place(
    _ panel: UnsafeMutablePointer<CAttentionKernels_panel>, _ index: Int, before keys: Range<Int>,
    of block: RowBlock, _ work: FusedWorkspace
  ) {
    if slopes == nil { return }
    let positions = block.extent.positions
    let isShifted = positions.position(ofRow: keys.lowerBound) != keys.lowerBound
    let all = isShifted ? work.shiftedPositions : work.positions
    panel.pointee.positions = UnsafePointer(all + index * work.panelRows)
  }

  private func pack(
    _ panel: UnsafeMutablePointer<CAttentionKernels_panel>, _ block: RowBlock, _ rows: Range<Int>,
    pairs: Bool,
    _ work: FusedWorkspace
  ) {
    let depth = problem.sizes.headDimension
    let target = UnsafeMutablePointer(mutating: panel.pointee.queries)
    let exact = work.exact + rows.lowerBound
    if pairs {
      var source = isReadInPlace ? place(block, rows) : gather(block, rows, work)
      kernels.pointee.pack_panel_bf16(
        target, &source, depth, units.negatesQueries, units.largestPairedQuery, exact)
    } else {
      let isFloat = problem.elementType == .float32
      var source = isFloat && isReadInPlace ? place(block, rows) : convert(block, rows, work)
      kernels.pointee.pack_panel_f32(target, &source, depth, units.negatesQueries)
      exact.update(repeating: 0, count: work.panelRows)
    }
  }

  /// Rows of a panel where they lie.
  private func place(_ block: RowBlock, _ rows: Range<Int>) -> CAttentionKernels_panel_rows {
    let strides = problem.queries.byteStrides
    let base = problem.queries.row(block.sequence, block.heads.lowerBound, block.extent.queryStart)
    return CAttentionKernels_panel_rows(
      base: UnsafeMutableRawPointer(mutating: base), query_stride: strides.row, head_stride: strides.head,
      heads: block.heads.count, first: block.rows.lowerBound + rows.lowerBound, count: rows.count)
  }

  /// Rows of a panel converted to Float.
  private func convert(
    _ block: RowBlock, _ rows: Range<Int>, _ work: FusedWorkspace
  ) -> CAttentionKernels_panel_rows {
    let depth = problem.sizes.headDimension
    for row in rows {
      let index = block.index(row)
      load(
        work.rows + (row - rows.lowerBound) * depth,
        problem.queries.row(index.sequence, index.head, index.row), problem.queries.columnStride, depth, 1)
    }
    return scratchRows(work.rows, rowBytes: depth * MemoryLayout<Float>.size, rows.count)
  }

  /// Rows of a panel as they are, columns side by side.
  private func gather(
    _ block: RowBlock, _ rows: Range<Int>, _ work: FusedWorkspace
  ) -> CAttentionKernels_panel_rows {
    let depth = problem.sizes.headDimension
    return work.rows.withMemoryRebound(to: UInt16.self, capacity: 2 * rows.count * depth) { target in
      for row in rows {
        let index = block.index(row)
        let source = problem.queries.row(index.sequence, index.head, index.row).assumingMemoryBound(
          to: UInt16.self)
        for column in 0..<depth {
          target[(row - rows.lowerBound) * depth + column] = source[column &* problem.queries.columnStride]
        }
      }
      return scratchRows(target, rowBytes: depth * MemoryLayout<UInt16>.size, rows.count)
    }
  }

  private func scratchRows(
    _ base: UnsafeMutableRawPointer, rowBytes: Int, _ count: Int
  ) -> CAttentionKernels_panel_rows {
    CAttentionKernels_panel_rows(
      base: base, query_stride: rowBytes, head_stride: 0, heads: 1, first: 0, count: count)
  }

  /// The block's queries as rows to prefetch, where one head has them all.
  func prefetch(_ block: RowBlock) -> CAttentionKernels_hint {
    guard isReadInPlace, block.heads.count == 1, !block.rows.isEmpty else { return CAttentionKernels_hint() }
    let first = block.index(0)
    let base = problem.queries.row(first.sequence, first.head, first.row)
    return CAttentionKernels_hint(
      next: base.assumingMemoryBound(to: CChar.self), stride: problem.queries.byteStrides.row,
      bytes: problem.sizes.headDimension * problem.elementType.byteCount, rows: block.rows.count)
  }
}
