extension GGUFFile {
  /// The value under a key, decoded anew at each call; nil where the file has no such key.
  public func metadata(_ key: String) -> GGUFValue? {
    guard let (type, bytes) = place(key) else { return nil }
    var decoder = GGUFDecoder(bytes: bytes)
    return withExtendedLifetime(contents) { decoder.value(type) }
  }

  /// The text under a key; nil where there is none, or another type.
  public func string(_ key: String) -> String? {
    guard let (type, _) = place(key), type == .string, case .string(let text)? = metadata(key) else {
      return nil
    }
    return text
  }

  /// The integer under a key, of any width and sign; nil where there is none, another type, or one that does not fit an Int.
  public func integer(_ key: String) -> Int? {
    switch scalar(key) {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(value)
    case .float32, .float64, .bool, .string, .array, nil: nil
    }
  }

  /// The number under a key, floating-point or integer; nil where there is none, or another type.
  ///
  /// Exact, but that integers beyond 2⁵³ round to nearest.
  public func number(_ key: String) -> Double? {
    switch scalar(key) {
    case .float32(let value): Double(value)
    case .float64(let value): value
    case .uint8(let value): Double(value)
    case .int8(let value): Double(value)
    case .uint16(let value): Double(value)
    case .int16(let value): Double(value)
    case .uint32(let value): Double(value)
    case .int32(let value): Double(value)
    case .uint64(let value): Double(value)
    case .int64(let value): Double(value)
    case .bool, .string, .array, nil: nil
    }
  }

  /// The bool under a key; nil where there is none, or another type.
  public func boolean(_ key: String) -> Bool? {
    guard case .bool(let value)? = scalar(key) else { return nil }
    return value
  }

  /// The array of text under a key; nil where there is none, or another type.
  public func strings(_ key: String) -> [String]? {
    guard case .string(let texts)? = array(key) else { return nil }
    return texts
  }

  /// Hands over the UTF-8 of each text in the array under a key, in order, without making a String of it.
  ///
  /// The bytes are valid during the call only. A vocabulary of 262,144 tokens takes a few milliseconds.
  /// - Returns: false where there is no such key, or it has another type; `body` is not called then.
  public func stringBytes(_ key: String, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
    guard let (type, bytes) = place(key), type == .array else { return false }
    return withExtendedLifetime(contents) {
      var decoder = GGUFDecoder(bytes: bytes)
      let (element, count) = decoder.arrayHead()
      guard element == .string else { return false }
      for _ in 0..<count { body(decoder.text()) }
      return true
    }
  }

  /// The array of integers under a key, of any width and sign; nil where there is none, another type, or one of them does not fit an
  /// Int.
  public func integers(_ key: String) -> [Int]? {
    switch array(key) {
    case .uint8(let values): return values.map { Int($0) }
    case .int8(let values): return values.map { Int($0) }
    case .uint16(let values): return values.map { Int($0) }
    case .int16(let values): return values.map { Int($0) }
    case .uint32(let values): return values.map { Int($0) }
    case .int32(let values): return values.map { Int($0) }
    case .int64(let values): return values.map { Int($0) }
    case .uint64(let values):
      let fitting = values.compactMap { Int(exactly: $0) }
      return fitting.count == values.count ? fitting : nil
    case .float32, .float64, .bool, .string, .array, nil: return nil
    }
  }

  /// The array of numbers under a key, floating-point or integers, each rounded to the nearest Float; nil where there is none, or
  /// another type.
  public func numbers(_ key: String) -> [Float]? {
    switch array(key) {
    case .float32(let values): values
    case .float64(let values): values.map { Float($0) }
    case .uint8(let values): values.map { Float($0) }
    case .int8(let values): values.map { Float($0) }
    case .uint16(let values): values.map { Float($0) }
    case .int16(let values): values.map { Float($0) }
    case .uint32(let values): values.map { Float($0) }
    case .int32(let values): values.map { Float($0) }
    case .uint64(let values): values.map { Float($0) }
    case .int64(let values): values.map { Float($0) }
    case .bool, .string, .array, nil: nil
    }
  }
}

extension GGUFFile {
  /// The type of a value, and all bytes from its first on.
  private func place(_ key: String) -> (type: GGUFValueType, bytes: UnsafeRawBufferPointer)? {
    guard let place = values[key] else { return nil }
    return (place.type, UnsafeRawBufferPointer(rebasing: contents.bytes[place.position...]))
  }

  /// A value that is quick to decode: an array or text may be long, and whoever asks for a number does not want it.
  private func scalar(_ key: String) -> GGUFValue? {
    guard let (type, _) = place(key), type != .array, type != .string else { return nil }
    return metadata(key)
  }

  private func array(_ key: String) -> GGUFArray? {
    guard let (type, _) = place(key), type == .array, case .array(let array)? = metadata(key) else {
      return nil
    }
    return array
  }
}
