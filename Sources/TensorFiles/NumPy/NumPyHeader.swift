import Tensors

/// What the header of an .npy file says: a Python dict with `descr`, `fortran_order` and `shape`.
struct NumPyHeader {
  let elementType: ElementType
  let shape: Shape
  let isFortranOrder: Bool
  let dataStart: Int

  /// The longest header that is read: what describes plain numbers has about 100 bytes, and version 1.0 can have no more.
  private static let maximumByteCount = 65_535

  /// Reads and checks all but the data, of which there must be exactly as much as the shape says.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TensorFileError) {
    func defect(_ reason: String) -> TensorFileError { TensorFileError(path: path, reason: reason) }
    guard bytes.count >= 10 else {
      throw defect("\(bytes.count) bytes are too few for the head of an .npy file, 10")
    }
    guard bytes[0] == 0x93, bytes[1..<6].elementsEqual("NUMPY".utf8) else {
      throw defect("no .npy file: its first 6 bytes are not 0x93 and \"NUMPY\"")
    }
    let (major, minor) = (bytes[6], bytes[7])
    guard (1...3).contains(major), minor == 0 else {
      throw defect(".npy version \(major).\(minor), expected 1.0, 2.0 or 3.0")
    }
    let start = major == 1 ? 10 : 12
    guard bytes.count >= start else {
      throw defect("\(bytes.count) bytes are too few for the head of an .npy file of version \(major).0, 12")
    }
    let count =
      major == 1
      ? Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
      : Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard count <= Self.maximumByteCount else {
      throw defect("a header of \(count) bytes, expected at most \(Self.maximumByteCount)")
    }
    guard count <= bytes.count - start else {
      throw defect("a header of \(count) bytes, but only \(bytes.count - start) follow its length")
    }
    var scanner = NumPyScanner(text: Array(bytes[start..<start + count]), path: path)
    (elementType, isFortranOrder, shape) = try scanner.dictionary()
    dataStart = start + count
    guard let elements = shape.checkedElementCount,
      case let (expected, overflow) = elements.multipliedReportingOverflow(by: elementType.byteCount),
      !overflow
    else { throw defect("the size of \(elementType) with shape \(shape) does not fit an Int") }
    guard expected == bytes.count - dataStart else {
      throw defect(
        "\(elementType) with shape \(shape) takes \(expected) bytes of data, but the file has "
          + "\(bytes.count - dataStart)")
    }
  }
}

extension ElementType {
  /// What the format calls this type, without the order of its bytes; nil where it has no name for it.
  var numPyName: String? {
    switch self {
    case .float64: "f8"
    case .float32: "f4"
    case .float16: "f2"
    case .bfloat16: nil
    case .int64: "i8"
    case .int32: "i4"
    case .int8: "i1"
    case .uint8: "u1"
    case .bool: "b1"
    }
  }

  /// The type with this `descr`, if it is one that a tensor can hold.
  init?(numPyDescription text: String) {
    let name = text.dropFirst()
    guard let type = Self.allCases.first(where: { $0.numPyName.map { $0 == name } ?? false }),
      // One byte has no order.
      text.first == "<" || text.first == "|" && type.byteCount == 1
    else { return nil }
    self = type
  }
}
