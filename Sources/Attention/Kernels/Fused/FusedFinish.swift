import CAttentionKernels

/// Panels on their way out: divided by their sums, rounded, written as rows; rows that tiles got wrong are computed again, exactly.
struct FusedFinish {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let units: FusedUnits
  private let store: RowKernels<Float>.Store
  private let isWrittenInPlace: Bool

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.units = FusedUnits(problem)
    self.store = RowKernels<Float>(kernels).store(problem.elementType)
    self.isWrittenInPlace = result.columnStride == 1 || problem.sizes.valueDimension == 1
  }

  /// The block's output as rows to prefetch, where one head has them all: writing them then does not wait for memory.
  func prefetch(_ block: RowBlock) -> CAttentionKernels_hint {
    guard isWrittenInPlace, block.heads.count == 1, !block.rows.isEmpty else {
      return CAttentionKernels_hint()
    }
    let base = result.row(block.index(0))
    return CAttentionKernels_hint(
      next: UnsafeRawPointer(base).assumingMemoryBound(to: CChar.self),
      stride: result.rows(block.sequence, block.heads.lowerBound).query,
      bytes: problem.sizes.valueDimension * problem.elementType.byteCount, rows: block.rows.count)
  }

  func write(_ block: RowBlock, _ panels: Int, pairs: Bool, _ work: FusedWorkspace) {
    for panel in 0..<panels {
      let first = panel * work.panelRows
      let rows = first..<min(first + work.panelRows, block.rows.count)
      write(work.panels + panel, block, rows, pairs: pairs, work)
    }
  }

  private func write(
    _ panel: UnsafeMutablePointer<CAttentionKernels_panel>, _ block: RowBlock, _ rows: Range<Int>,
    pairs: Bool,
    _ work: FusedWorkspace
  ) {
    let width = problem.sizes.valueDimension
    if panel.pointee.has_output != 0 {
      setFactors(panel.pointee, block, rows, work)
      var arguments = CAttentionKernels_finish(
        panel: UnsafePointer(panel),
        rows: isWrittenInPlace ? place(block, rows) : scratchRows(rows.count, work),
        value_dim: width, factors: problem.sinks == nil ? nil : UnsafePointer(work.factors))
      kernels.finishPanel(isWrittenInPlace ? problem.elementType : .float32)(&arguments, work.finite)
    } else {
      work.finite.update(repeating: 0, count: work.panelRows)
    }
    if !isWrittenInPlace { spread(block, rows, work) }
    let exact = work.exact + rows.lowerBound
    // Weights are rounded to multiply pairs, and for nothing else.
    let hasMass = pairs && result.sumForLogSumExp == .exact
    for lane in 0..<rows.count {
      let isEmpty = panel.pointee.sum[lane] == 0
      let isWritten = !isEmpty && work.finite[lane] != 0 && exact[lane] == 0
      if isWritten && !result.wantsLogSumExp { continue }
      let row = rows.lowerBound + lane
      let index = block.index(row)
      if exact[lane] == 0 && isEmpty {
        clear(index, work)
      } else if !isWritten {
        let visible = problem.visibility.visibleKeys(sequence: index.sequence, query: index.query)
        ExactRow(problem, kernels).attend(row, of: block, visible, into: result)
      } else {
        let sum = hasMass ? panel.pointee.mass[lane] : panel.pointee.sum[lane]
        result.setLogSumExp(logSumExp(panel.pointee, lane, sum), index)
      }
    }
  }

  /// A row without weights, whatever a sink makes of it: all keys are hidden from it. The largest score of a row that sees one has a weight
  /// of about 1, and what is no score leaves NaN.
  private func clear(_ index: RowIndex, _ work: FusedWorkspace) {
    let width = problem.sizes.valueDimension
    work.rows.update(repeating: 0, count: width)
    _ = store(result.row(index), result.columnStride, work.rows, width, 1)
    result.setLogSumExp(-Float.infinity, index)
  }

  /// In Double, since the two terms may cancel.
  private func logSumExp(_ panel: CAttentionKernels_panel, _ lane: Int, _ sum: Float) -> Float {
    Float(units.maximum(panel, lane) + Double.logarithm(Double(sum)))
  }

  private func setFactors(
    _ panel: CAttentionKernels_panel, _ block: RowBlock, _ rows: Range<Int>, _ work: FusedWorkspace
  ) {
    guard let sinks = problem.sinks else { return }
    for lane in 0..<rows.count {
      let sink = sinks[block.index(rows.lowerBound + lane).head]
      work.factors[lane] = Float(
        OnlineSoftmax<Double>.normalizer(
          maximum: units.maximum(panel, lane), sum: Double(panel.sum[lane]), sink: sink))
    }
    for lane in rows.count..<work.panelRows { work.factors[lane] = 0 }
  }

  private func place(_ block: RowBlock, _ rows: Range<Int>) -> CAttentionKernels_panel_rows {
    let target = result.rows(block.sequence, block.heads.lowerBound)
    return CAttentionKernels_panel_rows(
      base: target.base + block.extent.queryStart &* target.query, query_stride: target.query,
      head_stride: target.head, heads: block.heads.count, first: block.rows.lowerBound + rows.lowerBound,
      count: rows.count)
  }

  private func scratchRows(_ count: Int, _ work: FusedWorkspace) -> CAttentionKernels_panel_rows {
    CAttentionKernels_panel_rows(
      base: work.rows, query_stride: problem.sizes.valueDimension * MemoryLayout<Float>.size, head_stride: 0,
      heads: 1, first: 0, count: count)
  }

  /// Writes rows whose columns are not neighbours.
  private func spread(_ block: RowBlock, _ rows: Range<Int>, _ work: FusedWorkspace) {
    let width = problem.sizes.valueDimension
    for row in rows {
      _ = store(
        result.row(block.index(row)), result.columnStride, work.rows + (row - rows.lowerBound) * width, width,
        1)
    }
  }
}
