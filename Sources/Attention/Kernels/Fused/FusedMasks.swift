import CAttentionKernels

/// Mask tensors on their way into panels: the part that a panel sees of a block of keys, turned as its lanes are.
///
/// Additive masks become one tile of biases, −∞ in them and false in boolean ones bits that hide a key from a row. What hides all keys of
/// a tile from all rows costs next to nothing, and tiles that all rows see are computed without a mask.
struct FusedMasks {
  private let biases: [StridedOperand]
  private let visibilityMasks: [BooleanOperand]
  private let hasHoles: Bool
  private let kernels: KernelTable

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.biases = problem.scoring.biases ?? []
    self.visibilityMasks = problem.scoring.visibilityMasks ?? []
    self.hasHoles = problem.hasHoles
    self.kernels = kernels
  }

  /// Packs what masks say of some keys and the rows of a panel; whether any of these rows sees any of these keys, as far as masks say.
  ///
  /// - Parameters:
  ///   - keys: at most a block of them, counted in the sequence.
  ///   - rows: the panel's, counted in the block.
  func load(
    _ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock,
    into panel: UnsafeMutablePointer<CAttentionKernels_panel>, _ work: FusedWorkspace
  ) -> Bool {
    if biases.isEmpty && visibilityMasks.isEmpty && !hasHoles { return true }
    work.visible.update(repeating: .max, count: keys.count)
    for mask in visibilityMasks {
      var source = place(mask.base, mask.byteStrides, keys, rows, of: block)
      kernels.pointee.pack_visible(work.visible, &source, mask.byteStrides.column, keys.count)
    }
    for (index, bias) in biases.enumerated() {
      var source = place(bias.base, bias.byteStrides, keys, rows, of: block)
      kernels.packBias(bias.type)(
        work.bias, work.visible, &source, bias.columnStride, keys.count, index > 0 ? 1 : 0)
    }
    panel.pointee.bias = biases.isEmpty ? nil : UnsafePointer(work.bias)
    panel.pointee.visible = UnsafePointer(work.visible)
    if hasHoles { hideHoles(keys, rows, work) }
    let lanes = UInt32.max >> UInt32(32 - rows.count)
    var seen: UInt32 = 0
    for key in 0..<keys.count { seen |= work.visible[key] }
    return seen & lanes != 0
  }

  /// Clears the bits of keys that lie in the holes of a panel's rows.
  private func hideHoles(_ keys: Range<Int>, _ rows: Range<Int>, _ work: FusedWorkspace) {
    for row in rows {
      let bit = UInt32(1) << UInt32(row - rows.lowerBound)
      for key in work.ranges.hole(row).clamped(to: keys) { work.visible[key - keys.lowerBound] &= ~bit }
    }
  }

  /// Masks whose next rows are prefetched, at most: one of either kind.
  static let prefetches = 2

  /// Says which rows of masks to prefetch for the tiles that a panel needs next.
  func prefetch(
    _ hints: UnsafeMutablePointer<CAttentionKernels_hint>, _ keys: Range<Int>, _ rows: Range<Int>,
    of block: RowBlock
  ) {
    hints[0] = hint(visibilityMasks.first.map { ($0.base, $0.byteStrides, 1) }, keys, rows, of: block)
    hints[1] = hint(
      biases.first.map { ($0.base, $0.byteStrides, $0.type.byteCount) }, keys, rows, of: block)
  }

  private func hint(
    _ mask: (base: UnsafeRawPointer, strides: ByteStrides, elementSize: Int)?, _ keys: Range<Int>,
    _ rows: Range<Int>, of block: RowBlock
  ) -> CAttentionKernels_hint {
    guard let (start, strides, size) = mask, !rows.isEmpty, strides.column == size else {
      return CAttentionKernels_hint()
    }
    if block.heads.count > 1 && strides.head != 0 { return CAttentionKernels_hint() }
    let (first, last) = (block.index(rows.lowerBound), block.index(rows.upperBound - 1))
    let base =
      start + strides.offset(first.sequence, first.head, first.query) + keys.lowerBound &* strides.column
    return CAttentionKernels_hint(
      next: base.assumingMemoryBound(to: CChar.self), stride: strides.row,
      bytes: keys.count * size,
      rows: strides.row == 0 ? 1 : last.query - first.query + 1)
  }

  /// The rows of a mask where they lie, from the first of the keys on.
  private func place(
    _ base: UnsafeRawPointer, _ strides: ByteStrides, _ keys: Range<Int>, _ rows: Range<Int>,
    of block: RowBlock
  ) -> CAttentionKernels_panel_rows {
    let first =
      base + strides.offset(block.sequence, block.heads.lowerBound, 0) + keys.lowerBound &* strides.column
    return CAttentionKernels_panel_rows(
      base: UnsafeMutableRawPointer(mutating: first), query_stride: strides.row, head_stride: strides.head,
      heads: block.heads.count, first: block.rows.lowerBound + rows.lowerBound, count: rows.count)
  }
}
