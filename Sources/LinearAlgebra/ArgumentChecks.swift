import Tensors

extension AttentionError {
  /// An argument that does not fit the others, BLAS or LAPACK.
  package static func invalidArgument(
    operation: String, argument: String, given: String, expected: String
  ) -> AttentionError {
    AttentionError(argument, "\(operation) got \(given), expected \(expected)")
  }
}

/// Throws where a size does not fit the 32-bit integers of BLAS and LAPACK.
package func checkBLASInt(
  _ value: Int, operation: String, argument: String, _ what: String
) throws(AttentionError) {
  if Int32(exactly: value) == nil {
    throw .invalidArgument(
      operation: operation, argument: argument, given: "\(what) \(value)",
      expected: "one that fits the 32-bit integers of BLAS, at most \(Int32.max)")
  }
}

/// Throws where a tensor of this shape could not be addressed, so that making it cannot trap.
package func checkAllocation<Element>(
  _ shape: Shape, of: Element.Type, operation: String, argument: String
) throws(AttentionError) {
  let bytes = shape.checkedElementCount?.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
  if bytes?.overflow ?? true {
    throw .invalidArgument(
      operation: operation, argument: argument, given: "shape \(shape)",
      expected: "a shape whose size in bytes fits an Int")
  }
}
