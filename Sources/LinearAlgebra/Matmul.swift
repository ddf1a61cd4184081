import Tensors

/// The matrix product of two tensors, as NumPy's `matmul`.
///
///     c[…, i, j] = Σ_p a[…, i, p] · b[…, p, j]
///
/// - Parameters:
///   - a: `[…, m, k]`, or `[k]`: one row, whose axis the result leaves out.
///   - b: `[…, k, n]`, or `[k]`: one column, whose axis the result leaves out.
/// - Returns: `[…, m, n]`, row-major, where `…` are the batch axes of both, broadcast. Zeros where `k` is 0.
/// - Throws: `AttentionError` where shapes do not fit each other, or a size, the distance between rows or the result's
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
/// Each sum is rounded to nearest once. Operands are read where they lie, at any strides: few rows or columns (up to 64) are multiplied by
/// what is read of the other operand as it comes from memory, many a tile at a time. One allocation, the result.
public func matmul(
  _ a: Tensor<Float16>, _ b: Tensor<Float16>
) throws(AttentionError) -> Tensor<Float16> {
  try matmul(a, b, maximumThreads: .max)
}

/// The matrix product of two BFloat16 tensors, summed in Float; see the one for Float and Double.
///
/// Each sum is rounded to nearest once. Operands are read where they lie, at any strides: few rows or columns (up to 64) are multiplied by
/// what is read of the other operand as it comes from memory, many a tile at a time. One allocation, the result.
public func matmul(
  _ a: Tensor<BFloat16>, _ b: Tensor<BFloat16>
) throws(AttentionError) -> Tensor<BFloat16> {
  try matmul(a, b, maximumThreads: .max)
}

/// The same on at most so many threads.
package func matmul(
  _ a: Tensor<Float16>, _ b: Tensor<Float16>, maximumThreads: Int
) throws(AttentionError) -> Tensor<Float16> {
  try halfProduct(a, b, .float16, maximumThreads: maximumThreads)
}

/// The same on at most so many threads.
package func matmul(
  _ a: Tensor<BFloat16>, _ b: Tensor<BFloat16>, maximumThreads: Int
) throws(AttentionError) -> Tensor<BFloat16> {
  try halfProduct(a, b, .bfloat16, maximumThreads: maximumThreads)
}

private func halfProduct<Half: FloatingPointElement>(
  _ a: Tensor<Half>, _ b: Tensor<Half>, _ kernels: HalfKernels, maximumThreads: Int
) throws(AttentionError) -> Tensor<Half> {
  let shape = try ProductShape(operation: "matmul(_:_:)", a: a.shape, b: b.shape)
  try checkAllocation(shape.output, of: Float.self, operation: shape.operation, argument: "the result")
  try checkWork(a, shape.operation, argument: "a")
  try checkWork(b, shape.operation, argument: "b")
  if shape.size.k == 0 { return .zeros(shape.output) }
  return Tensor<Half>(unsafeUninitializedShape: shape.output) { memory in
    guard let base = memory.baseAddress, !memory.isEmpty else { return }
    a.withUnsafePointer { left in
      b.withUnsafePointer { right in
        let product = HalfProduct(
          size: shape.size, batch: shape.batch,
          a: HalfBatch(
            left, (shape.size.m, shape.size.k), shape: a.shape, strides: a.strides, batch: shape.batch),
          b: HalfBatch(
            right, (shape.size.k, shape.size.n), shape: b.shape, strides: b.strides, batch: shape.batch),
          kernels: kernels)
        product.write(to: base, maximumThreads: maximumThreads)
      }
    }
  }
}

/// Throws where an operand repeats so few elements so often that as many different ones would not fit memory: as the products of Float do, and
/// before a loop over them begins.
private func checkWork<Half: FloatingPointElement>(
  _ tensor: Tensor<Half>, _ operation: String, argument: String
) throws(AttentionError) {
  var shape = tensor.shape
  for axis in 0..<max(tensor.rank - 2, 0) where tensor.strides[axis] == 0 { shape[axis] = 1 }
  try checkAllocation(shape, of: Float.self, operation: operation, argument: argument)
}
