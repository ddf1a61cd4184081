// Strides for another shape of the same elements.

extension TensorLayout {
  /// The layout of the same elements, in the same order, under another shape of as many; nil where no strides say that.
  func reshaped(to target: Shape) -> TensorLayout? {
    guard let strides = viewStrides(for: target) else { return nil }
    return TensorLayout(shape: target, strides: strides, offset: offset)
  }

  /// Strides under which `target` reads the same elements in the same order, or nil where there are none.
  ///
  /// Walks both shapes from the end: a run of old axes and a run of new axes with the same product correspond, and the new
  /// ones can be views only if the old ones follow each other without gaps.
  private func viewStrides(for target: Shape) -> Strides? {
    if shape.contains(0) { return target.rowMajorStrides }
    // Axes of length 1 take part in no walk: their stride is never used.
    let axes = (0..<shape.count).filter { shape[$0] != 1 }
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
