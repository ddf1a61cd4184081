import Tensors

/// The matrix product of two tensors, as NumPy's `matmul`.
///
///     c[…, i, j] = Σ_p a[…, i, p] · b[…, p, j]
///
/// - Parameters:
///   - a: `[…, m, k]`, or `[k]`: one row, whose axis the result leaves out.
///   - b: `[…, k, n]`, or `[k]`: one column, whose axis the result leaves out.
/// - Returns: `[…, m, n]`, row-major, where `…` are the batch axes of both, broadcast. Zeros where `k` is 0.
/// - Throws: ``AttentionError`` where shapes do not fit each other, or a size, the distance between rows or the result's
///   bytes do not fit the integers that count them.
///
/// Transposed views, and rows at any distance, are read in place; an operand with other strides is copied once.
/// Large products are shared among the threads of the library's pool, cut by the sizes of one matrix alone: the result is
/// bitwise the same whatever the number of threads and whatever else is in the batch. For the same reason a batch is never
/// folded into rows: where `b` has no batch axes, `[B·T, k] · [k, n]` reads `b` once, `[B, T, k] · [k, n]` B times.
public func matmul<S: BLASScalar>(
  _ a: Tensor<S>, _ b: Tensor<S>
) throws(AttentionError) -> Tensor<S> {
  try matmul(a, b, maximumThreads: .max)
}

/// The same on at most so many threads.
package func matmul<S: BLASScalar>(
  _ a: Tensor<S>, _ b: Tensor<S>, maximumThreads: Int
) throws(AttentionError) -> Tensor<S> {
  let shape = try ProductShape(operation: "matmul(_:_:)", a: a.shape, b: b.shape)
  try checkAllocation(shape.output, of: S.self, operation: shape.operation, argument: "the result")
  let product = try MatrixProduct(shape, a, b)
  return try Tensor<S>(unsafeUninitializedShape: shape.output) { memory throws(AttentionError) in
    guard let base = memory.baseAddress else { return }
    let view = MutableTensorView(base: base, shape: shape.full)
    try product.write(to: view, maximumThreads: maximumThreads)
  }
}

/// The matrix product of two Float16 tensors, summed in Float; see the one for Float and Double.
///
/// Each operand is converted to Float once, and the result, rounded to nearest, back once.
public func matmul(
  _ a: Tensor<Float16>, _ b: Tensor<Float16>
) throws(AttentionError) -> Tensor<Float16> {
  try matmulThroughFloat(a, b, widen: { Float($0) }, narrow: { Float16($0) })
}

/// The matrix product of two BFloat16 tensors, summed in Float; see the one for Float and Double.
///
/// Each operand is converted to Float once, and the result, rounded to nearest, back once.
public func matmul(
  _ a: Tensor<BFloat16>, _ b: Tensor<BFloat16>
) throws(AttentionError) -> Tensor<BFloat16> {
  try matmulThroughFloat(a, b, widen: { Float($0) }, narrow: { BFloat16($0) })
}

@inline(__always)
private func matmulThroughFloat<H: FloatingPointElement>(
  _ a: Tensor<H>, _ b: Tensor<H>, widen: (H) -> Float, narrow: (Float) -> H
) throws(AttentionError) -> Tensor<H> {
  // Shapes first: an operand that does not fit must not be converted.
  let shape = try ProductShape(operation: "matmul(_:_:)", a: a.shape, b: b.shape)
  try checkAllocation(shape.output, of: Float.self, operation: shape.operation, argument: "the result")
  let product = try matmul(
    converted(a, argument: "a", widen), converted(b, argument: "b", widen), maximumThreads: .max)
  return try converted(product, argument: "the result", narrow)
}

/// The same values in another type, row-major; what repeats along a batch axis is converted once and repeats again.
@inline(__always)
private func converted<From: TensorElement, To: TensorElement>(
  _ tensor: Tensor<From>, argument: String, _ convert: (From) -> To
) throws(AttentionError) -> Tensor<To> {
  var source = tensor
  for axis in 0..<max(tensor.rank - 2, 0) where tensor.strides[axis] == 0 && tensor.shape[axis] > 1 {
    source = source.sliced(axis: axis, 0..<1)
  }
  try checkAllocation(source.shape, of: To.self, operation: "matmul(_:_:)", argument: argument)
  let result = Tensor<To>(unsafeUninitializedShape: source.shape) { memory in
    guard var next = memory.baseAddress else { return }
    source.forEachRow { row, length, stride in
      for index in 0..<length { next[index] = convert(row[index * stride]) }
      next += length
    }
  }
  guard source.shape != tensor.shape else { return result }
  do {
    return try result.broadcast(to: tensor.shape)
  } catch {
    preconditionFailure("a tensor broadcasts back to the shape that it was cut from: \(error)")
  }
}
