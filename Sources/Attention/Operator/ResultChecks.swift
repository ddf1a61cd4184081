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
  // Axes in the order of their strides, picked one by one: an array of them would be allocated for each call.
  var left = shape
  while let axis = narrowestAxis(left, strides) {
    let step = Int(clamping: strides[axis].magnitude)
    if step <= reach { return true }
    let (span, overflow) = step.multipliedReportingOverflow(by: shape[axis] - 1)
    reach = overflow || span > Int.max - reach ? Int.max : reach + span
    left[axis] = 1
  }
  return false
}

/// The axis of the smallest stride among those of several indices; nil where there is none.
private func narrowestAxis(_ shape: Shape, _ strides: Strides) -> Int? {
  var narrowest: Int?
  for axis in 0..<shape.count where shape[axis] > 1 {
    guard let other = narrowest else {
      narrowest = axis
      continue
    }
    if strides[axis].magnitude < strides[other].magnitude { narrowest = axis }
  }
  return narrowest
}

/// A row-major tensor to be filled; throws where there is no memory for what an argument of the shape `given` asks for: views can
/// repeat little memory many times.
package func allocated<Element: TensorElement>(
  _ shape: Shape, for argument: String, _ given: Shape
) throws(AttentionError) -> Tensor<Element> {
  let bytes = shape.checkedElementCount?.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
  guard let bytes, !bytes.overflow, let tensor = Tensor<Element>.uninitialized(shape) else {
    throw AttentionError(
      .outOfMemory, argument, "shape \(given) given, which asks for \(shape), beyond this machine's memory")
  }
  return tensor
}
