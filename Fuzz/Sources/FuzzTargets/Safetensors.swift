import TensorFiles
import Tensors

extension FuzzTarget {
  /// A safetensors file, each tensor read as what it holds and converted.
  static let safetensors = FuzzTarget("safetensors") { bytes throws(FuzzFault) in
    try attempt {
      let file = try SafetensorsFile(bytes: bytes)
      for name in file.names {
        guard let entry = file[name] else { throw FuzzFault("\(name) is in names, and has no entry") }
        try require(entry.byteRange.upperBound <= bytes.count, "data past the end of the file")
        let floats = try file.tensor(name, convertedTo: Float.self)
        try require(floats.shape == entry.shape, "\(name) became \(floats.shape), expected \(entry.shape)")
        _ = try file.tensor(name, convertedTo: Int64.self).elements
        func read<E: TensorElement>(_: E.Type) throws {
          let elements = try file.tensor(name, as: E.self).elements
          try require(
            elements.count * MemoryLayout<E>.stride == entry.byteRange.count,
            "\(elements.count) elements of \(E.elementType) in \(entry.byteRange.count) bytes")
        }
        try entry.elementType.withSwiftType { try read($0) }
      }
    }
  }
}

extension ElementType {
  /// Calls `body` with the Swift type of these elements.
  func withSwiftType(_ body: (any TensorElement.Type) throws -> Void) rethrows {
    switch self {
    case .float64: try body(Double.self)
    case .float32: try body(Float.self)
    case .float16: try body(Float16.self)
    case .bfloat16: try body(BFloat16.self)
    case .int64: try body(Int64.self)
    case .int32: try body(Int32.self)
    case .int8: try body(Int8.self)
    case .uint8: try body(UInt8.self)
    case .bool: try body(Bool.self)
    }
  }
}
