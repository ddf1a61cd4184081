import Tensors

/// What a product or decomposition refuses.
public enum LinearAlgebraError: Error, Equatable, Sendable, CustomStringConvertible {
  /// An argument does not fit the others, BLAS or LAPACK: its name, what was given and what was expected.
  case invalidArgument(operation: String, argument: String, given: String, expected: String)

  /// The matrix has no inverse: the factor `U` has an exact zero at this index of its diagonal, counted from 0.
  case singular(operation: String, pivot: Int)

  /// The iteration did not find all values; `info` is LAPACK's count of what is left.
  case noConvergence(operation: String, info: Int)

  /// LAPACK found no memory for its workspace.
  case outOfMemory(operation: String)

  /// One line: the operation, the argument, what was given and what was expected.
  public var description: String {
    switch self {
    case .invalidArgument(let operation, let argument, let given, let expected):
      "\(operation): \(argument) has \(given), expected \(expected)"
    case .singular(let operation, let pivot):
      "\(operation): the matrix is singular, zero at pivot \(pivot)"
    case .noConvergence(let operation, let info):
      "\(operation): did not converge (LAPACK info \(info))"
    case .outOfMemory(let operation):
      "\(operation): no memory for LAPACK's workspace"
    }
  }
}

/// Throws where a size does not fit the 32-bit integers of BLAS and LAPACK.
func checkBLASInt(
  _ value: Int, operation: String, argument: String, _ what: String
) throws(LinearAlgebraError) {
  if Int32(exactly: value) == nil {
    throw .invalidArgument(
      operation: operation, argument: argument, given: "\(what) \(value)",
      expected: "one that fits the 32-bit integers of BLAS, at most \(Int32.max)")
  }
}

/// Throws where a tensor of this shape could not be addressed, so that making it cannot trap.
func checkAllocation<Element>(
  _ shape: Shape, of: Element.Type, operation: String, argument: String
) throws(LinearAlgebraError) {
  let bytes = shape.checkedElementCount?.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
  if bytes?.overflow ?? true {
    throw .invalidArgument(
      operation: operation, argument: argument, given: "shape \(shape)",
      expected: "a shape whose size in bytes fits an Int")
  }
}
