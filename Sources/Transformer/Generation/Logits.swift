import Tensors

extension Tensor where Element == Float {
  /// Calls `body` with a row of `[rows, width]`, where it lies.
  func withRow<Result>(
    _ row: Int, _ body: (UnsafeBufferPointer<Float>) throws(ModelError) -> Result
  ) throws(ModelError) -> Result {
    let (rows, width) = (contiguous(), shape[1])
    return try rows.withUnsafePointer { (base) throws(ModelError) in
      try body(UnsafeBufferPointer(start: base + row * width, count: width))
    }
  }
}

/// Whether no number is NaN or an infinity.
func areFinite(_ numbers: UnsafeBufferPointer<Float>) -> Bool {
  // A finite number times 0 is 0, and all else is NaN, which no sum loses: nothing here branches, so it takes the time of reading.
  let lanes = SIMD16<Float>.scalarCount
  var sums = SIMD16<Float>.zero
  let bytes = UnsafeRawBufferPointer(numbers)
  for first in stride(from: 0, to: numbers.count - numbers.count % lanes, by: lanes) {
    sums +=
      bytes.loadUnaligned(fromByteOffset: first * MemoryLayout<Float>.stride, as: SIMD16<Float>.self) * 0
  }
  return sums == .zero && numbers.suffix(numbers.count % lanes).allSatisfy(\.isFinite)
}
