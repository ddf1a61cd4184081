import LinearAlgebra
import Parallelism
import Tensors

/// The thin singular value decomposition `a = u · diag(singularValues) · vt`, by LAPACK's divide and conquer (`gesdd`).
///
/// - Parameter a: `[m, n]`, any strides.
/// - Returns: with `p = min(m, n)`: `u [m, p]` with orthonormal columns, `singularValues [p]`, not negative and descending,
///   `vt [p, n]` with orthonormal rows. An empty matrix has empty factors.
/// - Throws: `AttentionError` where `a` is not a matrix, holds NaN or an infinity, has an axis beyond `Int32.max`, or
///   where the iteration does not converge.
///
/// Copies `a` once; LAPACKE transposes into copies of its own.
public func svd<S: LAPACKScalar>(
  _ a: Tensor<S>
) throws(AttentionError) -> (u: Tensor<S>, singularValues: Tensor<S>, vt: Tensor<S>) {
  let call = LAPACKCall(operation: "svd(_:)")
  try call.checkMatrix(a.shape, argument: "a")
  let (m, n) = (a.shape[0], a.shape[1])
  let p = min(m, n)
  var work = try call.writableCopy(a, argument: "a")
  var u = Tensor<S>.zeros([m, p])
  var s = Tensor<S>.zeros([p])
  var vt = Tensor<S>.zeros([p, n])
  if p == 0 { return (u, s, vt) }
  _ = BLASRuntime.oneThread
  let info = work.withMutableView { work in
    u.withMutableView { u in
      s.withMutableView { s in
        vt.withMutableView { vt in
          ForkGate.inside {
            S.gesdd(
              rows: Int32(m), columns: Int32(n), a: work.base, s: s.base, u: u.base, vt: vt.base)
          }
        }
      }
    }
  }
  try call.checkArguments(info, ["layout", "jobz", "m", "n", "a", "lda", "s", "u", "ldu", "vt", "ldvt"])
  if info > 0 { throw call.didNotConverge(info) }
  return (u, s, vt)
}
