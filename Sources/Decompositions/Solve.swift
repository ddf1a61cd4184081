import LinearAlgebra
import Parallelism
import Tensors

/// The solution `x` of `a · x = b`, by LU decomposition with partial pivoting (LAPACK's `gesv`).
///
/// - Parameters:
///   - a: `[n, n]`, any strides.
///   - b: `[n]`, or `[n, r]` for `r` right-hand sides, any strides.
/// - Returns: `x`, with the shape of `b`.
/// - Throws: `AttentionError` where `a` is not square, `b` does not fit it, one of them holds NaN or an infinity, an
///   axis is beyond `Int32.max`, or `a` is singular (a pivot is exactly zero; a matrix that is merely close to singular
///   gives a result as inexact as its condition number says).
///
/// Copies `a` and `b` once; LAPACKE transposes into copies of its own.
public func solve<S: LAPACKScalar>(
  _ a: Tensor<S>, _ b: Tensor<S>
) throws(AttentionError) -> Tensor<S> {
  let call = LAPACKCall(operation: "solve(_:_:)")
  try call.checkMatrix(a.shape, argument: "a")
  let n = a.shape[0]
  if a.shape[1] != n {
    throw .invalidArgument(
      operation: call.operation, argument: "a", given: "shape \(a.shape)", expected: "as many columns as rows"
    )
  }
  if !(1...2).contains(b.rank) || b.shape[0] != n {
    throw .invalidArgument(
      operation: call.operation, argument: "b", given: "shape \(b.shape)",
      expected: "[\(n)] or [\(n), r], as a has \(n) rows")
  }
  try call.checkSizes(b.shape, argument: "b")
  var factored = try call.writableCopy(a, argument: "a")
  var x = try call.writableCopy(b, argument: "b")
  let columns = b.rank == 1 ? 1 : b.shape[1]
  // LAPACK returns early without a right-hand side too, but a leading dimension of 0 it would refuse.
  if n == 0 || columns == 0 { return x }
  var pivots = [Int32](repeating: 0, count: n)
  _ = BLASRuntime.oneThread
  let info = factored.withMutableView { factored in
    x.withMutableView { x in
      ForkGate.inside {
        S.gesv(
          size: Int32(n), columns: Int32(columns), a: factored.base, pivots: &pivots, b: x.base)
      }
    }
  }
  try call.checkArguments(info, ["layout", "n", "nrhs", "a", "lda", "pivots", "b", "ldb"])
  if info > 0 { throw call.isSingular("a", pivot: Int(info) - 1) }
  return x
}
