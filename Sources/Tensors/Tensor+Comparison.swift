extension Tensor: Equatable {
  /// Equal where the shapes and all elements are; the strides do not matter.
  ///
  /// Elements compare as numbers: +0 equals −0, and a tensor with a NaN equals nothing, itself included.
  @inlinable
  public static func == (left: Tensor, right: Tensor) -> Bool {
    guard left.shape == right.shape else { return false }
    var isEqual = true
    left.withUnsafePointer { leftBase in
      right.withUnsafePointer { rightBase in
        forEachRowPair(shape: left.shape, strides: left.strides, right.strides) {
          offset1, step1, offset2, step2, count in
          for index in 0..<count where leftBase[offset1 + index * step1] != rightBase[offset2 + index * step2]
          {
            isEqual = false
          }
        }
      }
    }
    return isEqual
  }

  /// The largest distance between elements at the same place, in Double; 0 for empty tensors.
  ///
  /// Made for checks such as `difference <= tolerance`, so whatever is not comparable is infinitely far: NaN from anything
  /// but NaN, an infinity from anything but itself, and tensors of different shapes from one another.
  @inlinable
  public func maximumDifference(_ other: Tensor) -> Double {
    guard shape == other.shape else { return .infinity }
    var largest = 0.0
    withUnsafePointer { base in
      other.withUnsafePointer { otherBase in
        forEachRowPair(shape: shape, strides: strides, other.strides) {
          offset1, step1, offset2, step2, count in
          for index in 0..<count {
            let left = base[offset1 + index * step1].doubleValue
            let right = otherBase[offset2 + index * step2].doubleValue
            // Equal infinities have no difference, and neither do two NaN.
            if left == right || (left.isNaN && right.isNaN) { continue }
            let distance = (left - right).magnitude
            largest = distance.isNaN ? .infinity : Swift.max(largest, distance)
          }
        }
      }
    }
    return largest
  }
}
