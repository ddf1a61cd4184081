// What results must be: those that a caller brings along, and those that a call makes.

/// Throws unless a result has the shape that it must have.
func check(_ shape: Shape, is expected: Shape, named argument: String) throws(AttentionError) {
  guard shape == expected else {
    throw AttentionError(argument, "shape \(shape) given, expected \(expected)")
  }
}

/// Throws where two elements of a result might share a place: threads would write over each other.
func checkDistinct(_ shape: Shape, _ strides: Strides, named argument: String) throws(AttentionError) {
  if mayOverlap(shape, strides) {
    throw AttentionError(
      argument, "strides \(strides) let elements of shape \(shape) overlap; expected a place for each")
  }
}

/// Whether two elements might share a place.
///
/// Ordered by stride, each axis must step over all that the ones before it reach. Layouts that interleave axes without
/// ever meeting count too; no tensor operation makes them.
func mayOverlap(_ shape: Shape, _ strides: Strides) -> Bool {
  if shape.contains(0) { return false }
  var reach = 0
  let axes = (0..<shape.count).filter { shape[$0] > 1 }.sorted {
    strides[$0].magnitude < strides[$1].magnitude
  }
  for axis in axes {
    let step = Int(clamping: strides[axis].magnitude)
    if step <= reach { return true }
    let (span, overflow) = step.multipliedReportingOverflow(by: shape[axis] - 1)
    reach = overflow || span > Int.max - reach ? Int.max : reach + span
  }
  return false
}

/// A row-major tensor to be filled; throws where there is no memory for what an argument of the shape `given` asks for: views can
/// repeat little memory many times.
func allocated<Element: TensorElement>(
  _ shape: Shape, for argument: String, _ given: Shape
) throws(AttentionError) -> Tensor<Element> {
  let bytes = shape.checkedElementCount?.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
  guard let bytes, !bytes.overflow, let tensor = Tensor<Element>.uninitialized(shape) else {
    throw AttentionError(
      argument, "shape \(given) given, which asks for \(shape), beyond this machine's memory")
  }
  return tensor
}
