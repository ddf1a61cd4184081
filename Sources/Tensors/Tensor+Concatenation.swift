extension Tensor {
  /// The tensors one after the other along an axis that they all have; one copy of each.
  ///
  ///     let grown = try Tensor.concatenate([cachedKeys, newKeys], axis: 2)
  ///
  /// - Throws: ``AttentionError`` where there is no tensor, where ranks or any other axis differ, or where the result is too large.
  /// - Precondition: `axis` is one of the first tensor's.
  public static func concatenate(_ tensors: [Tensor], axis: Int) throws(AttentionError) -> Tensor {
    let operation = "concatenate(_:axis:)"
    guard let first = tensors.first else {
      throw AttentionError(operation, "no tensors, expected at least one")
    }
    precondition(axis >= 0 && axis < first.rank, "axis \(axis) of \(first.rank) axes")
    var shape = first.shape
    shape[axis] = 0
    for (position, tensor) in tensors.enumerated() {
      var others = tensor.shape
      if axis < others.count { others[axis] = first.shape[axis] }
      guard others == first.shape else {
        throw AttentionError(
          operation,
          "tensor \(position) has shape \(tensor.shape), expected \(first.shape) but for axis \(axis)")
      }
      let (length, overflow) = shape[axis].addingReportingOverflow(tensor.shape[axis])
      guard !overflow else {
        throw AttentionError(operation, "the length of axis \(axis) does not fit an Int")
      }
      shape[axis] = length
    }
    guard shape.checkedElementCount != nil else {
      throw AttentionError(operation, "the element count of shape \(shape) does not fit an Int")
    }
    return Tensor(unsafeUninitializedShape: shape) { buffer in
      guard let base = buffer.baseAddress else { return }
      let whole = MutableTensorView(base: base, shape: shape)
      var start = 0
      for tensor in tensors {
        let end = start + tensor.shape[axis]
        whole.sliced(axis: axis, start..<end).copyElements(of: tensor)
        start = end
      }
    }
  }

  /// This tensor followed by another along an axis; one copy of each.
  ///
  /// - Throws: ``AttentionError`` where ranks or any other axis differ, or where the result is too large.
  /// - Precondition: `axis` is one of the tensor's.
  public func concatenated(with other: Tensor, axis: Int) throws(AttentionError) -> Tensor {
    try Tensor.concatenate([self, other], axis: axis)
  }
}
