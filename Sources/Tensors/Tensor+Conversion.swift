extension Tensor {
  /// The same values as another element type, in fresh row-major memory; the tensor itself where the type is the same.
  ///
  /// Every value is rounded once. To a floating-point type: to nearest, ties to even, to infinity beyond the largest value;
  /// NaN stays NaN. To an integer type: towards zero, to the nearest limit where it is out of range, and NaN becomes 0. To
  /// Bool: true for everything but 0 (so for NaN). `true` becomes 1.
  ///
  ///     let halves = queries.converted(to: Float16.self)
  ///
  /// One copy; none where `Target` is `Element`.
  public func converted<Target: TensorElement>(to type: Target.Type) -> Tensor<Target> {
    if let same = self as? Tensor<Target> { return same }
    return Tensor<Target>(unsafeUninitializedShape: shape) { buffer in
      guard var next = buffer.baseAddress else { return }
      if isContiguous {
        withUnsafePointer { convertRow(from: $0, stride: 1, to: next, count: count) }
      } else {
        forEachRow { row, length, stride in
          convertRow(from: row, stride: stride, to: next, count: length)
          next += length
        }
      }
    }
  }
}
