// Views: new shapes and strides over the same storage. Nothing here copies unless its comment says so.

extension Tensor {
  /// The axes in another order; `permuted(0, 2, 1, 3)` swaps the middle two of four.
  ///
  /// - Precondition: every axis is named once.
  public func permuted(_ order: Int...) -> Tensor {
    let (shape, strides) = permutedAxes(shape, strides, Shape(order))
    return Tensor(storage: storage, shape: shape, strides: strides, offset: offset)
  }

  /// The last two axes swapped.
  ///
  /// - Precondition: at least two axes.
  public func transposed() -> Tensor {
    precondition(rank >= 2, "a transpose needs two axes, not \(rank)")
    var shape = shape
    var strides = strides
    shape.swapAt(rank - 2, rank - 1)
    strides.swapAt(rank - 2, rank - 1)
    return Tensor(storage: storage, shape: shape, strides: strides, offset: offset)
  }

  /// Part of one axis: every `step`-th index of `range`.
  ///
  /// - Precondition: `range` lies within the axis; `step` is at least 1.
  public func sliced(axis: Int, _ range: Range<Int>, by step: Int = 1) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "range \(range) on axis \(axis) of length \(shape[axis])")
    precondition(step >= 1, "a slice takes every \(step)-th index")
    var shape = shape
    var strides = strides
    shape[axis] = range.isEmpty ? 0 : (range.count - 1) / step + 1
    let start = range.isEmpty ? 0 : range.lowerBound * strides[axis]
    // A lone index takes no step, however large the step is.
    if shape[axis] > 1 { strides[axis] *= step }
    return Tensor(storage: storage, shape: shape, strides: strides, offset: offset + start)
  }

  /// One index of one axis, which disappears.
  ///
  /// - Precondition: `index` lies within the axis.
  public func selected(axis: Int, _ index: Int) -> Tensor {
    precondition(
      index >= 0 && index < shape[axis], "index \(index) on axis \(axis) of length \(shape[axis])")
    let (kept, keptStrides) = removedAxis(shape, strides, axis)
    return Tensor(
      storage: storage, shape: kept, strides: keptStrides, offset: offset + index * strides[axis])
  }

  /// A new axis of length 1 before `axis`.
  ///
  /// - Precondition: `axis` is at most ``rank``, and the rank below ``AxisValues/maximumRank``.
  public func expanded(axis: Int) -> Tensor {
    precondition(axis >= 0 && axis <= rank, "a new axis at \(axis) of \(rank)")
    precondition(rank < Shape.maximumRank, "a tensor has at most \(Shape.maximumRank) axes")
    var grown = Shape(repeating: 1, count: rank + 1)
    var grownStrides = Strides(repeating: 1, count: rank + 1)
    for old in 0..<rank {
      grown[old < axis ? old : old + 1] = shape[old]
      grownStrides[old < axis ? old : old + 1] = strides[old]
    }
    // Never used to reach an element, but what a dense tensor has: a leading dimension must not be 0.
    if axis < rank { grownStrides[axis] = shape[axis] &* strides[axis] }
    return Tensor(storage: storage, shape: grown, strides: grownStrides, offset: offset)
  }

  /// The tensor seen with a larger shape: axes of length 1 repeat, and new axes appear in front, as NumPy broadcasts.
  ///
  /// - Throws: ``TensorError`` where an axis is neither 1 nor as long as asked for.
  public func broadcast(to target: Shape) throws(TensorError) -> Tensor {
    guard target.count >= rank, target.checkedElementCount != nil else {
      throw TensorError("broadcast(to:)", "shape \(shape) does not broadcast to \(target)")
    }
    var strides = Strides(repeating: 0, count: target.count)
    for axis in 0..<rank {
      let place = target.count - rank + axis
      if shape[axis] == target[place] {
        strides[place] = self.strides[axis]
      } else if shape[axis] != 1 {
        throw TensorError("broadcast(to:)", "shape \(shape) does not broadcast to \(target)")
      }
    }
    return Tensor(storage: storage, shape: target, strides: strides, offset: offset)
  }

  /// The same elements in row-major order under another shape: a view where the strides allow it, else one copy.
  ///
  /// - Throws: ``TensorError`` where the element counts differ.
  public func reshaped(to target: Shape) throws(TensorError) -> Tensor {
    guard target.checkedElementCount == count else {
      throw TensorError(
        "reshaped(to:)",
        "shape \(target) has \(target.checkedElementCount.map(String.init) ?? "a negative or too large number of") elements, shape \(shape) has \(count)"
      )
    }
    if let strides = viewStrides(for: target) {
      return Tensor(storage: storage, shape: target, strides: strides, offset: offset)
    }
    let copy = contiguousCopy()
    return Tensor(
      storage: copy.storage, shape: target, strides: target.rowMajorStrides, offset: copy.offset)
  }

  /// Strides under which `target` reads the same elements in the same order, or nil where there are none.
  ///
  /// Walks both shapes from the end: a run of old axes and a run of new axes with the same product correspond, and the new
  /// ones can be views only if the old ones follow each other without gaps.
  func viewStrides(for target: Shape) -> Strides? {
    if isEmpty { return target.rowMajorStrides }
    // Axes of length 1 take part in no walk: their stride is never used.
    let axes = (0..<rank).filter { shape[$0] != 1 }
    var result = Strides(repeating: 0, count: target.count)
    var old = axes.count - 1
    var new = target.count - 1
    while new >= 0 {
      if target[new] == 1 {
        new -= 1
        continue
      }
      guard old >= 0 else { return nil }
      var oldProduct = shape[axes[old]]
      var newProduct = target[new]
      var step = strides[axes[old]]
      result[new] = step
      while oldProduct != newProduct {
        if newProduct < oldProduct {
          step *= target[new]
          new -= 1
          guard new >= 0 else { return nil }
          newProduct *= target[new]
          result[new] = step
        } else {
          guard old >= 1, strides[axes[old - 1]] == strides[axes[old]] * shape[axes[old]] else {
            return nil
          }
          old -= 1
          oldProduct *= shape[axes[old]]
        }
      }
      new -= 1
      old -= 1
    }
    // Axes of length 1 get the stride that a dense tensor has, for callers that pass it on as a leading dimension.
    for axis in stride(from: target.count - 1, through: 0, by: -1) where target[axis] == 1 {
      result[axis] = axis + 1 < target.count ? target[axis + 1] &* result[axis + 1] : 1
    }
    return result
  }
}

// MARK: - Heads

extension Tensor {
  /// `[B, T, H·D] → [B, H, T, D]`: the heads of a projection as an axis of their own, as a view.
  ///
  /// - Throws: ``TensorError`` where the tensor has not three axes or `heads` does not divide the last.
  public func splitHeads(_ heads: Int) throws(TensorError) -> Tensor {
    let (shape, strides) = try splitHeadAxes(shape, strides, heads)
    return Tensor(storage: storage, shape: shape, strides: strides, offset: offset)
  }

  /// `[B, H, T, D] → [B, T, H·D]`: a view where the heads of a token lie side by side, else one copy.
  ///
  /// - Throws: ``TensorError`` where the tensor has not four axes.
  public func mergeHeads() throws(TensorError) -> Tensor {
    guard rank == 4 else {
      throw TensorError("mergeHeads()", "shape \(shape), expected [B, H, T, D]")
    }
    return try permuted(0, 2, 1, 3).reshaped(to: [shape[0], shape[2], shape[1] * shape[3]])
  }
}

/// Shape and strides with the axes in the order given.
func permutedAxes(_ shape: Shape, _ strides: Strides, _ order: Shape) -> (Shape, Strides) {
  precondition(order.count == shape.count, "\(order) is not an order of \(shape.count) axes")
  var newShape = shape
  var newStrides = strides
  var named = 0
  for axis in 0..<order.count {
    let old = order[axis]
    precondition(
      old >= 0 && old < shape.count && named & (1 << old) == 0,
      "\(order) is not an order of \(shape.count) axes")
    named |= 1 << old
    newShape[axis] = shape[old]
    newStrides[axis] = strides[old]
  }
  return (newShape, newStrides)
}

/// `[B, T, H·D] → [B, H, T, D]`, in shape and strides.
func splitHeadAxes(_ shape: Shape, _ strides: Strides, _ heads: Int) throws(TensorError) -> (Shape, Strides) {
  guard shape.count == 3, heads >= 1, shape[2] % heads == 0 else {
    throw TensorError(
      "splitHeads(_:)", "shape \(shape) does not split into \(heads) heads; expected [B, T, H·D]")
  }
  let width = shape[2] / heads
  return (
    [shape[0], heads, shape[1], width], [strides[0], width * strides[2], strides[1], strides[2]]
  )
}

/// Shape and strides without one axis.
func removedAxis(_ shape: Shape, _ strides: Strides, _ axis: Int) -> (Shape, Strides) {
  var kept = Shape(repeating: 0, count: shape.count - 1)
  var keptStrides = kept
  for new in 0..<kept.count {
    kept[new] = shape[new < axis ? new : new + 1]
    keptStrides[new] = strides[new < axis ? new : new + 1]
  }
  return (kept, keptStrides)
}
