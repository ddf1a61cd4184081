// Rows of one element type into rows of another. Nine types make 81 pairs: the five that matter for speed have a loop of
// their own, the others pass through Double, a block at a time, with 9 + 9 loops.

/// Converts a row, strided in `source` and dense in `target`, rounding once as ``TensorElement/init(nearest:)`` says.
func convertRow<Source: TensorElement, Target: TensorElement>(
  from source: UnsafePointer<Source>, stride: Int, to target: UnsafeMutablePointer<Target>, count: Int
) {
  let raw = UnsafeRawPointer(source)
  let rawTarget = UnsafeMutableRawPointer(target)
  let types = (Source.elementType, Target.elementType)
  if types.0 == types.1 {
    let same = raw.assumingMemoryBound(to: Target.self)
    copyRow(from: same, stride: stride, to: target, stride: 1, count: count)
  } else if types == (.float32, .float16) {
    mapRow(raw, stride, rawTarget, count) { (value: Float) in value.nearestHalfBits }
  } else if types == (.float32, .bfloat16) {
    mapRow(raw, stride, rawTarget, count) { (value: Float) in BFloat16(value) }
  } else if types == (.float16, .float32) {
    mapRow(raw, stride, rawTarget, count) { (bits: UInt16) in Float(halfBits: bits) }
  } else if types == (.bfloat16, .float32) {
    mapRow(raw, stride, rawTarget, count) { (value: BFloat16) in Float(value) }
  } else if types == (.int64, .float64) {
    mapRow(raw, stride, rawTarget, count) { (value: Int64) in Double(value) }
  } else if types.1 == .float64 {
    widenRow(from: source, stride: stride, to: rawTarget.assumingMemoryBound(to: Double.self), count: count)
  } else if types.0 == .float64 && stride == 1 {
    narrowRow(from: raw.assumingMemoryBound(to: Double.self), to: target, count: count)
  } else {
    withBlocks(of: count) { block, start, length in
      widenRow(from: source + start * stride, stride: stride, to: block, count: length)
      narrowRow(from: block, to: target + start, count: length)
    }
  }
}

/// Calls `body` with a buffer for Doubles, on the stack and small enough for the first cache, and each range it is to serve.
@inline(__always)
func withBlocks(
  of count: Int, _ body: (_ block: UnsafeMutablePointer<Double>, _ start: Int, _ length: Int) -> Void
) {
  let capacity = 512
  withUnsafeTemporaryAllocation(of: Double.self, capacity: capacity) { buffer in
    guard let block = buffer.baseAddress else { return }
    for start in stride(from: 0, to: count, by: capacity) {
      body(block, start, min(capacity, count - start))
    }
  }
}

/// The values of a row as Doubles: exact, but that an Int64 beyond 2⁵³ is rounded to odd, so that a rounding after it is
/// the only one.
func widenRow<Source: TensorElement>(
  from source: UnsafePointer<Source>, stride: Int, to target: UnsafeMutablePointer<Double>, count: Int
) {
  let raw = UnsafeRawPointer(source)
  let rawTarget = UnsafeMutableRawPointer(target)
  switch Source.elementType {
  case .float64: mapRow(raw, stride, rawTarget, count) { (value: Double) in value }
  case .float32: mapRow(raw, stride, rawTarget, count) { (value: Float) in Double(value) }
  case .float16: mapRow(raw, stride, rawTarget, count) { (bits: UInt16) in Double(Float(halfBits: bits)) }
  case .bfloat16: mapRow(raw, stride, rawTarget, count) { (value: BFloat16) in Double(Float(value)) }
  case .int64: mapRow(raw, stride, rawTarget, count) { (value: Int64) in Double(roundedToOdd: value) }
  case .int32: mapRow(raw, stride, rawTarget, count) { (value: Int32) in Double(value) }
  case .int8: mapRow(raw, stride, rawTarget, count) { (value: Int8) in Double(value) }
  case .uint8: mapRow(raw, stride, rawTarget, count) { (value: UInt8) in Double(value) }
  case .bool: mapRow(raw, stride, rawTarget, count) { (value: Bool) in value.doubleValue }
  }
}

/// Each Double rounded to the nearest value of the target's type.
func narrowRow<Target: TensorElement>(
  from source: UnsafePointer<Double>, to target: UnsafeMutablePointer<Target>, count: Int
) {
  let raw = UnsafeRawPointer(source)
  let rawTarget = UnsafeMutableRawPointer(target)
  switch Target.elementType {
  case .float64: mapRow(raw, 1, rawTarget, count) { (value: Double) in value }
  case .float32: mapRow(raw, 1, rawTarget, count) { (value: Double) in Float(value) }
  case .float16:
    mapRow(raw, 1, rawTarget, count) { (value: Double) in Float(roundedToOdd: value).nearestHalfBits }
  case .bfloat16: mapRow(raw, 1, rawTarget, count) { (value: Double) in BFloat16(nearest: value) }
  case .int64: mapRow(raw, 1, rawTarget, count) { (value: Double) in Int64(nearest: value) }
  case .int32: mapRow(raw, 1, rawTarget, count) { (value: Double) in Int32(nearest: value) }
  case .int8: mapRow(raw, 1, rawTarget, count) { (value: Double) in Int8(nearest: value) }
  case .uint8: mapRow(raw, 1, rawTarget, count) { (value: Double) in UInt8(nearest: value) }
  case .bool: mapRow(raw, 1, rawTarget, count) { (value: Double) in Bool(nearest: value) }
  }
}

/// One loop, inlined with its body so that the compiler can vectorise it; dense rows get one without a stride.
@inline(__always)
private func mapRow<Source, Target>(
  _ source: UnsafeRawPointer, _ stride: Int, _ target: UnsafeMutableRawPointer, _ count: Int,
  _ body: (Source) -> Target
) {
  let source = source.assumingMemoryBound(to: Source.self)
  let target = target.assumingMemoryBound(to: Target.self)
  if stride == 1 {
    for index in 0..<count { target[index] = body(source[index]) }
  } else {
    for index in 0..<count { target[index] = body(source[index * stride]) }
  }
}
