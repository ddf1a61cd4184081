/// Where the elements of a tensor lie in its memory: the arithmetic behind every view, whatever the element type.
///
/// Everything is counted in elements. Nothing here allocates.
struct TensorLayout {
  /// The length of each axis.
  var shape: Shape

  /// The distance between neighbours along each axis.
  var strides: Strides

  /// The place of element `[0, 0, …]`.
  var offset = 0

  /// The number of elements; the shape is one whose count fits an `Int`.
  var count: Int {
    var product = 1
    for length in shape { product *= length }
    return product
  }

  /// The axes in another order.
  ///
  /// - Precondition: every axis is named once.
  func permuted(_ order: Shape) -> TensorLayout {
    precondition(order.count == shape.count, "\(order) is not an order of \(shape.count) axes")
    var result = self
    var named = 0
    for axis in 0..<order.count {
      let old = order[axis]
      precondition(
        old >= 0 && old < shape.count && named & (1 << old) == 0,
        "\(order) is not an order of \(shape.count) axes")
      named |= 1 << old
      result.shape[axis] = shape[old]
      result.strides[axis] = strides[old]
    }
    return result
  }

  /// The last two axes swapped.
  ///
  /// - Precondition: at least two axes.
  func transposed() -> TensorLayout {
    let rank = shape.count
    precondition(rank >= 2, "a transpose needs two axes, not \(rank)")
    var result = self
    result.shape.swapAt(rank - 2, rank - 1)
    result.strides.swapAt(rank - 2, rank - 1)
    return result
  }

  /// Part of one axis: every `step`-th index of `range`.
  ///
  /// - Precondition: `range` lies within the axis; `step` is at least 1.
  func sliced(axis: Int, _ range: Range<Int>, by step: Int) -> TensorLayout {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "range \(range) on axis \(axis) of length \(shape[axis])")
    precondition(step >= 1, "a slice takes every \(step)-th index")
    var result = self
    result.shape[axis] = range.isEmpty ? 0 : (range.count - 1) / step + 1
    if !range.isEmpty { result.offset += range.lowerBound * strides[axis] }
    // A lone index takes no step, however large the step is.
    if result.shape[axis] > 1 { result.strides[axis] *= step }
    return result
  }

  /// One index of one axis, which disappears.
  ///
  /// - Precondition: `index` lies within the axis.
  func selected(axis: Int, _ index: Int) -> TensorLayout {
    precondition(
      index >= 0 && index < shape[axis], "index \(index) on axis \(axis) of length \(shape[axis])")
    var result = removed(axis: axis)
    result.offset += index * strides[axis]
    return result
  }

  /// One axis less, at its index 0 where it has one.
  func removed(axis: Int) -> TensorLayout {
    var kept = Shape(repeating: 0, count: shape.count - 1)
    var keptStrides = kept
    for new in 0..<kept.count {
      kept[new] = shape[new < axis ? new : new + 1]
      keptStrides[new] = strides[new < axis ? new : new + 1]
    }
    return TensorLayout(shape: kept, strides: keptStrides, offset: offset)
  }

  /// A new axis of length 1 before `axis`.
  ///
  /// - Precondition: `axis` is at most the rank, and the rank below ``AxisValues/maximumRank``.
  func expanded(axis: Int) -> TensorLayout {
    let rank = shape.count
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
    return TensorLayout(shape: grown, strides: grownStrides, offset: offset)
  }

  /// A larger shape: axes of length 1 repeat, and new axes appear in front.
  func broadcast(to target: Shape) throws(AttentionError) -> TensorLayout {
    let rank = shape.count
    guard target.count >= rank, target.checkedElementCount != nil else {
      throw AttentionError("broadcast(to:)", "shape \(shape) does not broadcast to \(target)")
    }
    var result = TensorLayout(
      shape: target, strides: Strides(repeating: 0, count: target.count), offset: offset)
    for axis in 0..<rank {
      let place = target.count - rank + axis
      if shape[axis] == target[place] {
        result.strides[place] = strides[axis]
      } else if shape[axis] != 1 {
        throw AttentionError("broadcast(to:)", "shape \(shape) does not broadcast to \(target)")
      }
    }
    return result
  }

  /// `[B, T, H·D] → [B, H, T, D]`
  func splitHeads(_ heads: Int) throws(AttentionError) -> TensorLayout {
    guard shape.count == 3, heads >= 1, shape[2] % heads == 0 else {
      throw AttentionError(
        "splitHeads(_:)", "shape \(shape) does not split into \(heads) heads; expected [B, T, H·D]")
    }
    let width = shape[2] / heads
    return TensorLayout(
      shape: [shape[0], heads, shape[1], width],
      strides: [strides[0], width * strides[2], strides[1], strides[2]], offset: offset)
  }
}
