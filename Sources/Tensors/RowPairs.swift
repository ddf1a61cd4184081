/// Visits two strided arrays of one shape row by row, in row-major order.
///
/// Axes that follow each other without gaps in both arrays are merged first, so two dense tensors are one row, and the cost
/// of a row is paid as seldom as the strides allow. `body` receives, for each row: the offset and stride in the first array,
/// those in the second, and the length.
@inlinable
func forEachRowPair(
  shape: Shape, strides first: Strides, _ second: Strides, _ body: (Int, Int, Int, Int, Int) -> Void
) {
  if shape.contains(0) { return }
  // Innermost axis first, axes of length 1 left out, neighbours merged.
  var lengths = Shape(repeating: 1, count: Shape.maximumRank)
  var steps1 = Strides(repeating: 1, count: Shape.maximumRank)
  var steps2 = steps1
  var axes = 0
  for axis in stride(from: shape.count - 1, through: 0, by: -1) where shape[axis] != 1 {
    let inner = axes - 1
    if axes > 0, first[axis] == steps1[inner] * lengths[inner], second[axis] == steps2[inner] * lengths[inner]
    {
      lengths[inner] *= shape[axis]
    } else {
      lengths[axes] = shape[axis]
      steps1[axes] = first[axis]
      steps2[axes] = second[axis]
      axes += 1
    }
  }
  var index = Shape(repeating: 0, count: Shape.maximumRank)
  var offset1 = 0
  var offset2 = 0
  while true {
    body(offset1, steps1[0], offset2, steps2[0], lengths[0])
    var axis = 1
    while axis < axes {
      index[axis] += 1
      offset1 += steps1[axis]
      offset2 += steps2[axis]
      if index[axis] < lengths[axis] { break }
      offset1 -= steps1[axis] * lengths[axis]
      offset2 -= steps2[axis] * lengths[axis]
      index[axis] = 0
      axis += 1
    }
    if axis >= axes { return }
  }
}

/// Copies a row; both strides in elements.
///
/// Elements are plain bits, so a copy depends on their width alone: four loops serve every type, without a generic
/// call per element.
func copyRow<Element: TensorElement>(
  from source: UnsafePointer<Element>, stride sourceStride: Int,
  to target: UnsafeMutablePointer<Element>, stride targetStride: Int, count: Int
) {
  if sourceStride == 1 && targetStride == 1 { return target.update(from: source, count: count) }
  func copy<Bits>(_ bits: Bits.Type) {
    let source = UnsafeRawPointer(source).assumingMemoryBound(to: bits)
    let target = UnsafeMutableRawPointer(target).assumingMemoryBound(to: bits)
    for index in 0..<count { target[index * targetStride] = source[index * sourceStride] }
  }
  switch MemoryLayout<Element>.size {
  case 1: copy(UInt8.self)
  case 2: copy(UInt16.self)
  case 4: copy(UInt32.self)
  case 8: copy(UInt64.self)
  default: preconditionFailure("elements of \(MemoryLayout<Element>.size) bytes are not copied by rows")
  }
}
