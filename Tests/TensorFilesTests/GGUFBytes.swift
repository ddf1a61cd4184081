import TensorFiles

/// A GGUF file put together by hand, right or wrong.
struct GGUFBytes {
  var magic = Array("GGUF".utf8)
  var version: UInt32 = 3
  /// What the head says; as many as there are when nil.
  var tensorCount: UInt64?
  var keyCount: UInt64?
  /// Keys with their values, and the descriptions of tensors, each as it stands in the file.
  var keys: [[UInt8]] = []
  var tensors: [[UInt8]] = []
  /// What the data begins at a multiple of.
  var alignment = 32
  var data: [UInt8] = []

  var bytes: [UInt8] {
    var bytes = magic + Self.number(version)
    bytes += Self.number(tensorCount ?? UInt64(tensors.count)) + Self.number(keyCount ?? UInt64(keys.count))
    bytes += (keys + tensors).joined()
    bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    return bytes + data
  }

  static func number(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  static func number(_ value: Float) -> [UInt8] { number(value.bitPattern) }

  static func number(_ value: Double) -> [UInt8] { number(value.bitPattern) }

  static func text(_ bytes: [UInt8]) -> [UInt8] { number(UInt64(bytes.count)) + bytes }

  static func text(_ text: String) -> [UInt8] { Self.text(Array(text.utf8)) }

  /// A key, the number of its type, the bytes of its value.
  static func key(_ name: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(name) + number(type) + value
  }

  /// The value of an array: the number of the element type, a length, the bytes of the elements.
  static func array(_ type: UInt32, _ count: Int, _ elements: [UInt8]) -> [UInt8] {
    number(type) + number(Int64(count)) + elements
  }

  /// A tensor with its lengths in the order of the file, the contiguous axis first.
  static func tensor(_ name: String, _ lengths: [UInt64], type: UInt32, offset: UInt64) -> [UInt8] {
    text(name) + number(UInt32(lengths.count)) + lengths.flatMap { number($0) } + number(type)
      + number(offset)
  }
}

/// The reason why a GGUF file is refused; nil where it is accepted.
func refusal(ofGGUF bytes: [UInt8]) -> String? {
  do throws(TensorFileError) {
    _ = try GGUFFile(bytes: bytes, name: "case")
    return nil
  } catch {
    return error.reason
  }
}
