import Tensors

/// Writes a tensor as an .npy file, which `numpy.load` reads.
///
///     try NumPyWriter.write(output, to: "output.npy")
///
/// The bytes are those of NumPy 2 for the same array in C order: version 1.0, the data at a multiple of 64 bytes.
public enum NumPyWriter {
  /// Writes the file, whole or not at all, as ``SafetensorsWriter/write(to:)`` does.
  ///
  /// Views of any strides are fine; one that is not row-major costs a copy of itself.
  /// - Throws: ``TensorFileError`` where the elements are bfloat16, which the format has no type for, the directory is missing or cannot
  ///   be written, the disk is full, or `path` is something other than a regular file. An old file stays as it was then.
  public static func write<E: TensorElement>(_ tensor: Tensor<E>, to path: String) throws(TensorFileError) {
    let header = try header(E.elementType, tensor.shape, path: path)
    let rows = tensor.contiguous()
    defer { withExtendedLifetime(rows) {} }
    try replaceFile(at: path) { (sink) throws(TensorFileError) in
      try header.span.withUnsafeBytes { (piece) throws(TensorFileError) in try sink(piece) }
      try rows.withUnsafePointer { (base) throws(TensorFileError) in
        try sink(UnsafeRawBufferPointer(start: base, count: rows.count * MemoryLayout<E>.stride))
      }
    }
  }

  /// The file as it would be written.
  ///
  /// - Throws: ``TensorFileError`` where the elements are bfloat16.
  public static func bytes<E: TensorElement>(of tensor: Tensor<E>) throws(TensorFileError) -> [UInt8] {
    let header = try header(E.elementType, tensor.shape, path: "npy")
    return tensor.contiguous().withUnsafePointer {
      header + UnsafeRawBufferPointer(start: $0, count: tensor.count * MemoryLayout<E>.stride)
    }
  }

  /// All that stands before the data.
  private static func header(
    _ type: ElementType, _ shape: Shape, path: String
  ) throws(TensorFileError) -> [UInt8] {
    guard let name = type.numPyName else {
      throw TensorFileError(
        path: path, reason: "the .npy format has no \(type): convert the tensor to float32, which is exact")
    }
    let lengths = shape.map(String.init)
    let tuple = lengths.count == 1 ? "(\(lengths[0]),)" : "(\(lengths.joined(separator: ", ")))"
    let order = type.byteCount == 1 ? "|" : "<"
    var text = "{'descr': '\(order)\(name)', 'fortran_order': False, 'shape': \(tuple), }"
    // NumPy leaves room for a first length of up to 21 digits, so that an array can grow in place.
    if let first = lengths.first { text += String(repeating: " ", count: 21 - first.count) }
    // And pads a header that fills its last 64 bytes already by 64 more.
    text += String(repeating: " ", count: 64 - (10 + text.utf8.count + 1) % 64) + "\n"
    let count = text.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(count & 0xFF), UInt8(count >> 8)] + Array(text.utf8)
  }
}
