internal import CLAPACKE
import LinearAlgebra
import Tensors

/// What every decomposition has in common: the check of its input, and the errors that LAPACK's `info` stands for.
package struct LAPACKCall {
  /// The operation's name for errors, `svd(_:)` for instance.
  let operation: String

  package init(operation: String) {
    self.operation = operation
  }

  /// Checks a matrix, and returns a row-major copy of it that LAPACK may overwrite.
  ///
  /// NaN and infinities are refused here: LAPACKE looks for NaN only, can be told not to by the environment, and LAPACK's
  /// own iterations have no answer to either.
  func writableCopy<S: LAPACKScalar>(
    _ tensor: Tensor<S>, argument: String
  ) throws(AttentionError) -> Tensor<S> {
    try checkSizes(tensor.shape, argument: argument)
    try checkAllocation(tensor.shape, of: S.self, operation: operation, argument: argument)
    let copy = tensor.contiguousCopy()
    let bad = copy.withUnsafePointer { base in (0..<copy.count).first { !base[$0].isFinite } }
    if let bad {
      let columns = copy.shape.fromEnd(1)
      let place = copy.rank == 1 ? "[\(bad)]" : "[\(bad / columns), \(bad % columns)]"
      throw .invalidArgument(
        operation: operation, argument: argument,
        given: "\(copy.withUnsafePointer { $0[bad] }) at \(place)", expected: "finite elements")
    }
    return copy
  }

  /// Throws where an axis does not fit LAPACK's 32-bit integers.
  func checkSizes(_ shape: Shape, argument: String) throws(AttentionError) {
    for length in shape {
      try checkBLASInt(length, operation: operation, argument: argument, "an axis of length")
    }
  }

  /// Throws where a tensor is not a matrix.
  func checkMatrix(_ shape: Shape, argument: String) throws(AttentionError) {
    if shape.count != 2 {
      throw .invalidArgument(
        operation: operation, argument: argument, given: "shape \(shape)", expected: "2 axes")
    }
  }

  /// Throws what a negative `info` means: LAPACK's workspace, or an argument that it refuses.
  ///
  /// - Parameter names: of LAPACKE's arguments, in its order, the layout first.
  package func checkArguments(_ info: Int32, _ names: [String]) throws(AttentionError) {
    if info >= 0 { return }
    if info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR {
      throw AttentionError(.outOfMemory, operation, "no memory for LAPACK's workspace")
    }
    let index = -Int(info) - 1
    throw .invalidArgument(
      operation: operation, argument: index < names.count ? names[index] : "argument \(-info)",
      given: "a value that LAPACK refuses (info \(info))", expected: "one that it takes")
  }

  /// The error of an iteration that left `info` values open.
  package func didNotConverge(_ info: Int32) -> AttentionError {
    AttentionError(
      .noConvergence(info: Int(info)), operation, "the iteration did not converge (LAPACK info \(info))")
  }

  /// The error of a matrix without an inverse; `pivot` counts from 0.
  package func isSingular(_ argument: String, pivot: Int) -> AttentionError {
    AttentionError(
      .singular(pivot: pivot), argument, "\(operation) got a singular matrix, with a zero at pivot \(pivot)")
  }
}
