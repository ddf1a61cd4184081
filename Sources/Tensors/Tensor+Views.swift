// Views: new layouts over the same memory. Nothing here copies unless its comment says so.

extension Tensor {
  /// The axes in another order; `permuted(0, 2, 1, 3)` swaps the middle two of four.
  ///
  /// - Precondition: every axis is named once.
  public func permuted(_ order: Int...) -> Tensor {
    Tensor(memory: memory, layout: layout.permuted(Shape(order)))
  }

  /// The last two axes swapped.
  ///
  /// - Precondition: at least two axes.
  public func transposed() -> Tensor {
    Tensor(memory: memory, layout: layout.transposed())
  }

  /// Part of one axis: every `step`-th index of `range`.
  ///
  /// - Precondition: `range` lies within the axis; `step` is at least 1.
  public func sliced(axis: Int, _ range: Range<Int>, by step: Int = 1) -> Tensor {
    Tensor(memory: memory, layout: layout.sliced(axis: axis, range, by: step))
  }

  /// One index of one axis, which disappears.
  ///
  /// - Precondition: `index` lies within the axis.
  public func selected(axis: Int, _ index: Int) -> Tensor {
    Tensor(memory: memory, layout: layout.selected(axis: axis, index))
  }

  /// A new axis of length 1 before `axis`.
  ///
  /// - Precondition: `axis` is at most ``rank``, and the rank below ``AxisValues/maximumRank``.
  public func expanded(axis: Int) -> Tensor {
    Tensor(memory: memory, layout: layout.expanded(axis: axis))
  }

  /// The tensor seen with a larger shape: axes of length 1 repeat, and new axes appear in front, as NumPy broadcasts.
  ///
  /// - Throws: ``AttentionError`` where an axis is neither 1 nor as long as asked for.
  public func broadcast(to target: Shape) throws(AttentionError) -> Tensor {
    Tensor(memory: memory, layout: try layout.broadcast(to: target))
  }

  /// The same elements in row-major order under another shape: a view where the strides allow it, else one copy.
  ///
  /// - Throws: ``AttentionError`` where the element counts differ.
  public func reshaped(to target: Shape) throws(AttentionError) -> Tensor {
    guard target.checkedElementCount == count else {
      throw AttentionError(
        "reshaped(to:)",
        "shape \(target) has \(target.checkedElementCount.map(String.init) ?? "a negative or too large number of") elements, shape \(shape) has \(count)"
      )
    }
    if let view = layout.reshaped(to: target) { return Tensor(memory: memory, layout: view) }
    let copy = contiguousCopy()
    return Tensor(
      memory: copy.memory, layout: TensorLayout(shape: target, strides: target.rowMajorStrides))
  }
}

// MARK: - Heads

extension Tensor {
  /// `[B, T, H·D] → [B, H, T, D]`: the heads of a projection as an axis of their own, as a view.
  ///
  /// - Throws: ``AttentionError`` where the tensor has not three axes or `heads` does not divide the last.
  public func splitHeads(_ heads: Int) throws(AttentionError) -> Tensor {
    Tensor(memory: memory, layout: try layout.splitHeads(heads))
  }

  /// `[B, H, T, D] → [B, T, H·D]`: a view where the heads of a token lie side by side, else one copy.
  ///
  /// - Throws: ``AttentionError`` where the tensor has not four axes.
  public func mergeHeads() throws(AttentionError) -> Tensor {
    guard rank == 4 else {
      throw AttentionError("mergeHeads()", "shape \(shape), expected [B, H, T, D]")
    }
    return try permuted(0, 2, 1, 3).reshaped(to: [shape[0], shape[2], shape[1] * shape[3]])
  }
}
