/// Decodes values that ``GGUFHeader`` has checked.
struct GGUFDecoder {
  /// From the first byte of the value on; the slices' own checks stop whatever would lead past the end of the file.
  let bytes: UnsafeRawBufferPointer
  var position = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func value(_ type: GGUFValueType) -> GGUFValue {
    switch type {
    case .uint8: .uint8(number())
    case .int8: .int8(number())
    case .uint16: .uint16(number())
    case .int16: .int16(number())
    case .uint32: .uint32(number())
    case .int32: .int32(number())
    case .float32: .float32(number())
    case .bool: .bool(number(UInt8.self) != 0)
    case .string: .string(string())
    case .array: .array(array())
    case .uint64: .uint64(number())
    case .int64: .int64(number())
    case .float64: .float64(number())
    }
  }

  mutating func arrayHead() -> (type: GGUFValueType, count: Int) {
    guard let type = GGUFValueType(rawValue: number()) else {
      preconditionFailure("an element type that opening the file refuses")
    }
    return (type, Int(number(UInt64.self)))
  }

  mutating func array() -> GGUFArray {
    let (type, count) = arrayHead()
    return switch type {
    case .uint8: .uint8(numbers(count))
    case .int8: .int8(numbers(count))
    case .uint16: .uint16(numbers(count))
    case .int16: .int16(numbers(count))
    case .uint32: .uint32(numbers(count))
    case .int32: .int32(numbers(count))
    case .float32: .float32(numbers(count))
    case .bool: .bool(numbers(count).map { (byte: UInt8) in byte != 0 })
    case .string: .string((0..<count).map { _ in string() })
    case .array: .array((0..<count).map { _ in array() })
    case .uint64: .uint64(numbers(count))
    case .int64: .int64(numbers(count))
    case .float64: .float64(numbers(count))
    }
  }

  /// The bytes of a string after its length.
  mutating func text() -> UnsafeRawBufferPointer {
    let count = Int(number(UInt64.self))
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private mutating func string() -> String { String(decoding: text(), as: UTF8.self) }

  private mutating func number<Number: BitwiseCopyable>(_ type: Number.Type = Number.self) -> Number {
    defer { position += MemoryLayout<Number>.size }
    return bytes.loadUnaligned(fromByteOffset: position, as: Number.self)
  }

  private mutating func numbers<Number: BitwiseCopyable>(_ count: Int) -> [Number] {
    let run = bytes[position..<position + count * MemoryLayout<Number>.size]
    position = run.endIndex
    return [Number](unsafeUninitializedCapacity: count) { target, written in
      UnsafeMutableRawBufferPointer(target).copyMemory(from: UnsafeRawBufferPointer(rebasing: run))
      written = count
    }
  }
}
