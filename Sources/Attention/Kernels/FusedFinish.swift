import CAttentionKernels

/// Panels on their way out: divided by their sums, rounded, written as rows; rows that tiles got wrong are computed again, exactly.
struct FusedFinish {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let exact: ExactRow<Float>
  private let sinks: [Float]?
  private let store: Float.Store
  private let isWrittenInPlace: Bool

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.exact = ExactRow(problem, TileScoring(problem.scoring, kernels), kernels)
    self.sinks = problem.sinks.map { $0.map { Float($0) } }
    self.store = Float.store(problem.elementType, kernels)
    self.isWrittenInPlace = result.columnStride == 1 || problem.sizes.valueDimension == 1
  }

  /// The block's output as rows to ask for, where one head has them all: lines are there when they are written.
  func ahead(_ block: RowBlock) -> CAttentionKernels_ahead {
    guard isWrittenInPlace, block.heads.count == 1, !block.rows.isEmpty else {
      return CAttentionKernels_ahead()
    }
    let base = result.row(block.index(0))
    return CAttentionKernels_ahead(
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
        value_dim: width, factors: sinks == nil ? nil : UnsafePointer(work.factors))
      let type = isWrittenInPlace ? problem.elementType : .float32
      switch type {
      case .float16: kernels.pointee.finish_panel_f16(&arguments, work.finite)
      case .bfloat16: kernels.pointee.finish_panel_bf16(&arguments, work.finite)
      default: kernels.pointee.finish_panel_f32(&arguments, work.finite)
      }
    } else {
      work.finite.update(repeating: 0, count: work.panelRows)
    }
    if !isWrittenInPlace { spread(block, rows, work) }
    let exact = work.exact + rows.lowerBound
    for lane in 0..<rows.count {
      // Without weights there is nothing to divide, whatever a sink makes of it.
      if work.finite[lane] == 0 || exact[lane] != 0 || panel.pointee.sum[lane] == 0 {
        repair(block, rows.lowerBound + lane, isEmpty: panel.pointee.sum[lane] == 0 && exact[lane] == 0, work)
      } else if result.wantsLogSumExp {
        let mass = pairs ? panel.pointee.mass[lane] : panel.pointee.sum[lane]
        result.setLogSumExp(
          logSumExp(panel.pointee, lane, mass), block.index(rows.lowerBound + lane))
      }
    }
  }

  /// A row that has no weights, or one that is not finite.
  private func repair(_ block: RowBlock, _ row: Int, isEmpty: Bool, _ work: FusedWorkspace) {
    let index = block.index(row)
    let visible = problem.visibility.visibleKeys(sequence: index.sequence, query: index.query)
    // Scores too low for any shift leave no weights either, and they count.
    guard isEmpty && visible.isEmpty else { return exact.attend(index, block, visible, into: result) }
    let width = problem.sizes.valueDimension
    work.rows.update(repeating: 0, count: width)
    _ = Float.run(
      store, into: result.row(index), stride: result.columnStride, work.rows, width, factor: 1)
    result.setLogSumExp(-Float.infinity, index)
  }

  /// In Double, since the two terms may cancel.
  private func logSumExp(_ panel: CAttentionKernels_panel, _ lane: Int, _ mass: Float) -> Float {
    Float(-Double(panel.shift[lane]) / binaryOrders + Double.log(Double(mass)))
  }

  /// The logarithm of the common scale of a row's weights: its shift, a whole number of powers of two.
  private func maximum(_ panel: CAttentionKernels_panel, _ lane: Int) -> Float {
    Float(-Double(panel.shift[lane]) / binaryOrders)
  }

  private func setFactors(
    _ panel: CAttentionKernels_panel, _ block: RowBlock, _ rows: Range<Int>, _ work: FusedWorkspace
  ) {
    guard let sinks else { return }
    for lane in 0..<rows.count {
      let sink = sinks[block.index(rows.lowerBound + lane).head]
      work.factors[lane] = OnlineSoftmax.normalizer(
        maximum: maximum(panel, lane), sum: panel.sum[lane], sink: sink)
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
      _ = Float.run(
        store, into: result.row(block.index(row)), stride: result.columnStride,
        work.rows + (row - rows.lowerBound) * width, width, factor: 1)
    }
  }
}
