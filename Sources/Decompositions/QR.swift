import LinearAlgebra
import Parallelism
import Tensors

/// The thin QR decomposition `a = q · r`, by Householder reflections (LAPACK's `geqrf` and `orgqr`).
///
/// - Parameter a: `[m, n]`, any strides.
/// - Returns: with `p = min(m, n)`: `q [m, p]` with orthonormal columns, `r [p, n]`, zero below its diagonal, whose signs are
///   those that the reflections give. An empty matrix has empty factors.
/// - Throws: `AttentionError` where `a` is not a matrix, holds NaN or an infinity, or has an axis beyond `Int32.max`.
///
/// Copies `a` once; LAPACKE transposes into copies of its own.
public func qr<S: LAPACKScalar>(
  _ a: Tensor<S>
) throws(AttentionError) -> (q: Tensor<S>, r: Tensor<S>) {
  let call = LAPACKCall(operation: "qr(_:)")
  try call.checkMatrix(a.shape, argument: "a")
  let (m, n) = (a.shape[0], a.shape[1])
  let p = min(m, n)
  var factored = try call.writableCopy(a, argument: "a")
  if p == 0 { return (.zeros([m, p]), .zeros([p, n])) }
  var tau = Tensor<S>.zeros([p])
  _ = BLASRuntime.oneThread
  let info = factored.withMutableView { factored in
    tau.withMutableView { tau in
      ForkGate.inside { S.geqrf(rows: Int32(m), columns: Int32(n), a: factored.base, tau: tau.base) }
    }
  }
  try call.checkArguments(info, ["layout", "m", "n", "a", "lda", "tau"])

  let r = upperTriangle(of: factored, rows: p)
  // The reflectors lie below the diagonal of the first p columns.
  var q = factored.sliced(axis: 1, 0..<p).contiguousCopy()
  let formed = q.withMutableView { q in
    tau.withUnsafePointer { tau in
      ForkGate.inside { S.orgqr(rows: Int32(m), columns: Int32(p), a: q.base, tau: tau) }
    }
  }
  try call.checkArguments(formed, ["layout", "m", "n", "k", "a", "lda", "tau"])
  return (q, r)
}

/// The first rows of a row-major matrix, with zeros below the diagonal.
private func upperTriangle<S: LAPACKScalar>(of matrix: Tensor<S>, rows: Int) -> Tensor<S> {
  let columns = matrix.shape[1]
  return Tensor(unsafeUninitializedShape: [rows, columns]) { memory in
    matrix.withUnsafePointer { source in
      for row in 0..<rows {
        for column in 0..<columns {
          let place = row * columns + column
          memory[place] = column < row ? 0 : source[place]
        }
      }
    }
  }
}
