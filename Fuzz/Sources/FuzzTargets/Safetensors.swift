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
        try read(entry.elementType.swiftType)
      }
    }
  }
}
