import TensorFiles
import Tensors

extension FuzzTarget {
  /// An .npy file, read as what it holds and converted.
  static let npy = FuzzTarget("npy") { bytes throws(FuzzFault) in
    try attempt {
      let file = try NumPyFile(bytes: bytes)
      func read<E: TensorElement>(_: E.Type) throws {
        let elements = try file.tensor(as: E.self).elements
        try require(
          elements.count * MemoryLayout<E>.stride <= bytes.count,
          "\(elements.count) elements of \(E.elementType) in a file of \(bytes.count) bytes")
      }
      try read(file.elementType.swiftType)
      let floats = try file.tensor(convertedTo: Float.self)
      try require(floats.shape == file.shape, "\(file.shape) became \(floats.shape)")
    }
  }
}
