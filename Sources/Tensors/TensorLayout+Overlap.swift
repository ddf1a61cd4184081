extension TensorLayout {
  /// Whether two indices may reach one element.
  ///
  /// With the axes from the smallest step to the largest, none can where each step is longer than the distance that all axes
  /// before it cover together. That is sufficient, not necessary: what passes is safe, and every view of dense memory passes
  /// but a broadcast one. `[3, 2]` with strides `[2, 3]` reaches six elements once each and is refused.
  var mayOverlap: Bool {
    if shape.contains(0) { return false }
    var covered: UInt = 0
    var visited = 0
    for _ in 0..<shape.count {
      guard let axis = smallestStep(besides: visited) else { return false }
      visited |= 1 << axis
      let step = strides[axis].magnitude
      if step <= covered { return true }
      let (distance, overflows) = step.multipliedReportingOverflow(by: UInt(shape[axis] - 1))
      let (sum, overflowsSum) = covered.addingReportingOverflow(distance)
      if overflows || overflowsSum { return true }
      covered = sum
    }
    return false
  }

  /// The axis with the smallest step among those of more than one index that are not in the set of bits.
  private func smallestStep(besides visited: Int) -> Int? {
    var smallest: Int?
    for axis in 0..<shape.count where shape[axis] > 1 && visited & (1 << axis) == 0 {
      if let known = smallest, strides[known].magnitude <= strides[axis].magnitude { continue }
      smallest = axis
    }
    return smallest
  }
}
