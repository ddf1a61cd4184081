import Tensors

/// What stands before the data of a GGUF file, checked: where each metadata value is, and what each tensor is.
struct GGUFHeader {
  /// Where a metadata value begins, and its type.
  struct ValuePlace {
    let type: GGUFValueType
    let position: Int
  }

  let version: Int
  private(set) var alignment = 32
  private(set) var dataStart: Int
  private(set) var keys: [String] = []
  private(set) var values: [String: ValuePlace] = [:]
  private(set) var names: [String] = []
  private(set) var entries: [String: GGUFFile.Entry] = [:]

  private static let alignmentKey = "general.alignment"

  /// Checks everything but the data.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TensorFileError) {
    var scanner = GGUFScanner(bytes: bytes, path: path, position: 0)
    version = try Self.version(&scanner)
    dataStart = 0
    let tensorCount = try scanner.number(UInt64.self, "the number of tensors")
    let keyCount = try scanner.number(UInt64.self, "the number of keys")
    try Self.check(keyCount, "keys", fit: scanner, minimum: 8 + 4 + 1)
    try Self.check(tensorCount, "tensors", fit: scanner, minimum: 8 + 4 + 8 + 4 + 8)
    for index in 0..<keyCount { try readKey(index, &scanner) }
    try readAlignment(scanner)
    for index in 0..<tensorCount { try readTensor(index, &scanner) }
    dataStart = (scanner.position + alignment - 1) & ~(alignment - 1)
    try checkPlaces(dataByteCount: bytes.count - dataStart, path: path)
  }

  private static func version(_ scanner: inout GGUFScanner) throws(TensorFileError) -> Int {
    guard scanner.bytes.count >= 24 else {
      throw scanner.defect("\(scanner.bytes.count) bytes are too few for the head of a GGUF file, 24")
    }
    guard scanner.bytes.prefix(4).elementsEqual("GGUF".utf8) else {
      let found = scanner.bytes.prefix(4).map { hexadecimal($0) }.joined(separator: " ")
      throw scanner.defect("no GGUF file: it begins with the bytes \(found), expected 47 47 55 46")
    }
    scanner.position = 4
    let version = try scanner.number(UInt32.self, "the version")
    switch version {
    case 2, 3: return Int(version)
    case _ where version & 0xFFFF == 0 && version != 0:
      throw scanner.defect("GGUF version \(version.byteSwapped) in big-endian order, expected little-endian")
    default: throw scanner.defect("GGUF version \(version), expected 2 or 3")
    }
  }

  /// Refuses a count before anything is made for it.
  private static func check(
    _ count: UInt64, _ what: String, fit scanner: GGUFScanner, minimum: Int
  ) throws(TensorFileError) {
    guard count <= scanner.remaining / minimum else {
      throw scanner.defect(
        "\(count) \(what) take at least \(minimum) bytes each, but only \(scanner.remaining) bytes follow")
    }
  }
}

private func hexadecimal(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16, uppercase: true)
  return byte < 16 ? "0" + digits : digits
}

// MARK: - Metadata

extension GGUFHeader {
  private mutating func readKey(_ index: UInt64, _ scanner: inout GGUFScanner) throws(TensorFileError) {
    let key = try scanner.name("key \(index)")
    let type = try scanner.valueType("key \(quoted(key))")
    guard values.updateValue(ValuePlace(type: type, position: scanner.position), forKey: key) == nil else {
      throw scanner.defect("key \(quoted(key)) comes twice")
    }
    keys.append(key)
    try scanner.skipValue(type, "key \(quoted(key))")
  }

  private mutating func readAlignment(_ scanner: GGUFScanner) throws(TensorFileError) {
    guard let place = values[Self.alignmentKey] else { return }
    guard place.type == .uint32 else {
      throw scanner.defect("key \(quoted(Self.alignmentKey)) is of type \(place.type), expected uint32")
    }
    let value = scanner.bytes.loadUnaligned(fromByteOffset: place.position, as: UInt32.self)
    guard value >= 8, value & (value - 1) == 0 else {
      throw scanner.defect(
        "key \(quoted(Self.alignmentKey)) is \(value), expected a power of two of at least 8")
    }
    alignment = Int(value)
  }
}

// MARK: - Tensors

extension GGUFHeader {
  private mutating func readTensor(_ index: UInt64, _ scanner: inout GGUFScanner) throws(TensorFileError) {
    let name = try scanner.name("the name of tensor \(index)")
    let what = "tensor \(quoted(name))"
    guard entries[name] == nil else { throw scanner.defect("\(what) comes twice") }
    let shape = try Self.shape(what, &scanner)
    let id = try scanner.number(UInt32.self, "the type of \(what)")
    guard let type = GGUFTensorType(id: id) else {
      let known = GGUFTensorType.allCases.map { "\($0)" }.joined(separator: ", ")
      throw scanner.defect("\(what) is of \(GGUFTensorType.name(ofID: id)), expected one of \(known)")
    }
    guard shape.fromEnd(1).isMultiple(of: type.blockSize) else {
      throw scanner.defect(
        "\(what) of \(type) has rows of \(shape.fromEnd(1)) weights, expected a multiple of \(type.blockSize)"
      )
    }
    let offset = try scanner.number(UInt64.self, "the offset of \(what)")
    guard offset.isMultiple(of: UInt64(alignment)) else {
      throw scanner.defect(
        "\(what) begins at byte \(offset) of the data, expected a multiple of \(alignment)")
    }
    guard let count = shape.checkedElementCount,
      case let (byteCount, overflow) = (count / type.blockSize).multipliedReportingOverflow(
        by: type.blockByteCount), !overflow,
      let begin = Int(exactly: offset),
      case let (end, beyond) = begin.addingReportingOverflow(byteCount), !beyond
    else {
      throw scanner.defect(
        "the end of \(what) of \(type) with shape \(shape) at byte \(offset) of the data does not fit an Int")
    }
    entries[name] = GGUFFile.Entry(type: type, shape: shape, byteRange: begin..<end)
    names.append(name)
  }

  /// The file's lengths go from the contiguous axis outwards, a shape's inwards.
  private static func shape(_ what: String, _ scanner: inout GGUFScanner) throws(TensorFileError) -> Shape {
    let count = try scanner.number(UInt32.self, "the number of axes of \(what)")
    guard count >= 1, count <= 4 else {
      throw scanner.defect("\(what) has \(count) axes, expected 1 to 4")
    }
    var shape = Shape(repeating: 0, count: Int(count))
    for axis in 0..<shape.count {
      let length = try scanner.number(UInt64.self, "the lengths of \(what)")
      guard length > 0, let length = Int(exactly: length) else {
        throw scanner.defect("\(what) has the length \(length) on axis \(axis), expected 1 to \(Int.max)")
      }
      shape[shape.count - 1 - axis] = length
    }
    return shape
  }

  /// Holds all tensors to the data that the file has, and apart from each other.
  private func checkPlaces(dataByteCount: Int, path: String) throws(TensorFileError) {
    let places = entries.map { (name: $0.key, range: $0.value.byteRange) }
      .sorted { ($0.range.lowerBound, $0.name) < ($1.range.lowerBound, $1.name) }
    for (index, place) in places.enumerated() {
      guard place.range.upperBound <= dataByteCount else {
        throw TensorFileError(
          path: path,
          reason: "tensor \(quoted(place.name)) ends at byte \(place.range.upperBound) of the data, "
            + "but the file has \(max(dataByteCount, 0)) bytes of data")
      }
      guard index > 0 else { continue }
      let before = places[index - 1]
      guard before.range.upperBound <= place.range.lowerBound else {
        throw TensorFileError(
          path: path,
          reason: "tensor \(quoted(place.name)) begins at byte \(place.range.lowerBound) of the data, "
            + "inside tensor \(quoted(before.name)), which ends at byte \(before.range.upperBound)")
      }
    }
  }
}
