import CAttentionKernels

// Queries as integers of 16 bits.

extension BoundedAttention {
  /// Rounds the queries of a head to integers, and says whether that can be.
  ///
  /// What is lost counts in bounds, multiplied by the length of keys. Numbers of half precision have 8 or 11 bits: in units of a power of two, those
  /// that are not far smaller than the largest are whole, and nothing is lost of them.
  func prepareQueries(_ head: HeadWork) -> StreamedQueries {
    let rows = head.block.rows.count
    let form = decode.stream.prepare(head.work, rows: rows)
    switch problem.elementType {
    case .float32, .float64: return form
    case .bfloat16, .float16:
      if form != .integers { return form }
    }
    let depth = problem.sizes.headDimension
    for row in 0..<rows where head.work.queryScales[row] > 0 {
      let words = UnsafeMutableRawPointer(head.work.pairedQueries + row * depth)
      head.work.queryScales[row] = roundToPowerOfTwo(
        UnsafePointer(head.work.queries + row * depth), to: words.assumingMemoryBound(to: Int16.self), depth,
        largest: head.work.queryScales[row] * 32767)
    }
    return form
  }

  /// Rounds a row to integers, and returns their unit.
  ///
  /// - Parameter largest: the largest size of a number, but for rounding; the units are 2¹⁴ to 2¹⁵ times smaller.
  private func roundToPowerOfTwo(
    _ row: UnsafePointer<Float>, to integers: UnsafeMutablePointer<Int16>, _ count: Int, largest: Float
  ) -> Float {
    // No number of half precision lies between 1 - 2⁻¹¹ of a power of two and that power: rounding moves none across it.
    let unit = Float(sign: .plus, exponent: (largest * (1 + 0x1p-13)).exponent - 14, significand: 1)
    // Adding 1.5 · 2²³ rounds to the nearest whole number, ties to even, and leaves it in the lowest bits.
    let (inverse, shift) = (1 / unit, SIMD8<Float>(repeating: 0x1.8p23))
    let whole = count / 8 * 8
    for first in stride(from: 0, to: whole, by: 8) {
      let x = UnsafeRawPointer(row + first).loadUnaligned(as: SIMD8<Float>.self)
      let bits = unsafeBitCast(x * inverse + shift, to: SIMD8<UInt32>.self)
      let target = UnsafeMutableRawPointer(integers + first)
      target.storeBytes(of: SIMD8<Int16>(truncatingIfNeeded: bits), as: SIMD8<Int16>.self)
    }
    for column in whole..<count {
      integers[column] = Int16((row[column] * inverse).rounded(.toNearestOrEven))
    }
    return unit
  }
}
