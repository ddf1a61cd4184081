// What results that a caller brings along must be.

/// Throws unless a result has the shape that it must have.
func check(_ shape: Shape, is expected: Shape, named argument: String) throws(AttentionError) {
  guard shape == expected else {
    throw AttentionError(argument, "shape \(shape) given, expected \(expected)")
  }
}

/// Throws where two elements of a result might share a place: threads would write over each other.
///
/// Ordered by stride, each axis must step over all that the ones before it reach. Layouts that interleave axes without
/// ever meeting are refused too; no tensor operation makes them.
func checkDistinct(_ shape: Shape, _ strides: Strides, named argument: String) throws(AttentionError) {
  if shape.contains(0) { return }
  var reach = 0
  let axes = (0..<shape.count).filter { shape[$0] > 1 }.sorted {
    strides[$0].magnitude < strides[$1].magnitude
  }
  for axis in axes {
    let step = Int(clamping: strides[axis].magnitude)
    guard step > reach else {
      throw AttentionError(
        argument, "strides \(strides) let elements of shape \(shape) overlap; expected a place for each")
    }
    let (span, overflow) = step.multipliedReportingOverflow(by: shape[axis] - 1)
    reach = overflow || span > Int.max - reach ? Int.max : reach + span
  }
}
