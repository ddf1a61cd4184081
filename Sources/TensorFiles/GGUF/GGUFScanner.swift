/// Walks through the bytes of a GGUF file and refuses what leads past their end.
struct GGUFScanner {
  let bytes: UnsafeRawBufferPointer
  let path: String

  /// The next byte to read; never beyond the end.
  var position: Int

  /// How many bytes are left.
  var remaining: Int { bytes.count - position }

  func defect(_ reason: String) -> TensorFileError { TensorFileError(path: path, reason: reason) }

  /// A little-endian number.
  mutating func number<Number: BitwiseCopyable>(
    _ type: Number.Type = Number.self, _ what: @autoclosure () -> String
  ) throws(TensorFileError) -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= remaining else { throw cutOff(what(), needs: "\(size) bytes") }
    defer { position += size }
    return bytes.loadUnaligned(fromByteOffset: position, as: Number.self)
  }

  /// The bytes of a string after its length, which must be UTF-8.
  @inline(__always)
  mutating func text(
    _ what: @autoclosure () -> String
  ) throws(TensorFileError) -> UnsafeRawBufferPointer {
    let length = try number(UInt64.self, "the length of \(what())")
    guard let count = Int(exactly: length), count <= remaining else {
      throw cutOff(what(), needs: "\(length) bytes")
    }
    let text = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    guard isUTF8(text) else { throw defect("\(what()) at byte \(position) is not UTF-8") }
    position += count
    return text
  }

  /// A key or a name: short enough, and fit to be compared.
  mutating func name(_ what: @autoclosure () -> String) throws(TensorFileError) -> String {
    let text = try text(what())
    guard text.count <= Self.maximumNameByteCount else {
      throw defect("\(what()) has \(text.count) bytes, expected at most \(Self.maximumNameByteCount)")
    }
    let name = String(decoding: text, as: UTF8.self)
    guard name.isStreamSafe else { throw defect("\(what()): \(String.streamSafeDefect)") }
    return name
  }

  /// The format's limit for keys.
  static let maximumNameByteCount = 65_535

  func cutOff(_ what: String, needs need: String) -> TensorFileError {
    defect("\(what) at byte \(position) needs \(need), but the file ends at byte \(bytes.count)")
  }
}

// MARK: - Metadata values

extension GGUFScanner {
  /// The most arrays within each other: no known file has more than one.
  static let maximumDepth = 4

  /// The type of a value or of an array's elements.
  mutating func valueType(_ what: @autoclosure () -> String) throws(TensorFileError) -> GGUFValueType {
    let id = try number(UInt32.self, "the type of \(what())")
    guard let type = GGUFValueType(rawValue: id) else {
      throw defect("\(what()) has value type \(id), expected 0 to \(GGUFValueType.allCases.count - 1)")
    }
    return type
  }

  /// The element type and length of an array, which is known to fit the file.
  mutating func arrayHead(
    _ what: @autoclosure () -> String
  ) throws(TensorFileError) -> (type: GGUFValueType, count: Int) {
    let type = try valueType("the array of \(what())")
    let length = try number(UInt64.self, "the array length of \(what())")
    guard let count = Int(exactly: length), count <= remaining / type.minimumByteCount else {
      throw defect(
        "\(what()) has an array of \(length) \(type), at least \(type.minimumByteCount) bytes each, "
          + "but only \(remaining) bytes follow")
    }
    return (type, count)
  }

  /// Checks a value and moves behind it.
  mutating func skipValue(
    _ type: GGUFValueType, _ what: @autoclosure () -> String, depth: Int = 0
  ) throws(TensorFileError) {
    switch type {
    case .string: _ = try text(what())
    case .bool: try skipBooleans(1, what())
    case .array: try skipArray(what(), depth: depth + 1)
    case .uint8, .int8, .uint16, .int16, .uint32, .int32, .float32, .uint64, .int64, .float64:
      guard type.minimumByteCount <= remaining else {
        throw cutOff(what(), needs: "\(type.minimumByteCount) bytes")
      }
      position += type.minimumByteCount
    }
  }

  private mutating func skipArray(_ what: @autoclosure () -> String, depth: Int) throws(TensorFileError) {
    guard depth <= Self.maximumDepth else {
      throw defect("\(what()) nests more than \(Self.maximumDepth) arrays")
    }
    let (type, count) = try arrayHead(what())
    switch type {
    case .string:
      for index in 0..<count { _ = try text("\(what()), string \(index)") }
    case .bool: try skipBooleans(count, what())
    case .array:
      for _ in 0..<count { try skipArray(what(), depth: depth + 1) }
    case .uint8, .int8, .uint16, .int16, .uint32, .int32, .float32, .uint64, .int64, .float64:
      position += count * type.minimumByteCount
    }
  }

  private mutating func skipBooleans(
    _ count: Int, _ what: @autoclosure () -> String
  ) throws(TensorFileError) {
    guard count <= remaining else { throw cutOff(what(), needs: "\(count) bytes") }
    let run = bytes[position..<position + count]
    // Another bit pattern in a Bool is undefined behaviour.
    if let place = run.firstIndex(where: { $0 > 1 }) {
      throw defect("\(what()) has the byte \(run[place]) for a bool at byte \(place), expected 0 or 1")
    }
    position += count
  }
}

/// Whether bytes are UTF-8, as Unicode defines it: no overlong forms, surrogates or values above U+10FFFF.
func isUTF8(_ text: UnsafeRawBufferPointer) -> Bool {
  var index = 0
  // Most strings are ASCII and most are short: eight bytes at a time, then one by one up to the first other byte.
  while index + 8 <= text.count,
    text.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
  {
    index += 8
  }
  while index < text.count, text[index] < 0x80 { index += 1 }
  if index == text.count { return true }
  return text.withMemoryRebound(to: UInt8.self) { bytes in
    (try? UTF8Span(validating: bytes.extracting(index...).span)) != nil
  }
}
