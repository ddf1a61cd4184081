/// A value of JSON (RFC 8259). Objects keep their members in the order of the text, with those that come twice.
///
/// Foundation's decoder takes most of a second for a tokenizer.json of 128,000 tokens and hides keys that come twice.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// The first member of this name; nil where there is none, for `null`, and for what is no object.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self, let value = members.first(where: { $0.key == key })?.value
    else { return nil }
    if case .null = value { return nil }
    return value
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  var integer: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }

  /// What it is, in a message.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a bool"
    case .number: "a number"
    case .string: "text"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// Reads JSON from bytes. Nesting is limited, so that no file can exhaust the stack.
struct JSONReader {
  private static let deepest = 64

  private let bytes: [UInt8]
  private let name: String
  private var position = 0

  private init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
  }

  /// The value of a whole text.
  static func read(_ bytes: [UInt8], name: String) throws(ModelError) -> JSONValue {
    var reader = JSONReader(bytes, name: name)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.position = 3 }
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.error("expected the end of the file") }
    return value
  }

  private func error(_ reason: String) -> ModelError {
    ModelError(name, "at byte \(position): \(reason)")
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(ModelError) -> JSONValue {
    guard depth < Self.deepest else { throw error("more than \(Self.deepest) values within each other") }
    skipSpace()
    guard position < bytes.count else { throw error("expected a value, found the end of the file") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(ModelError) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw error("expected \(word)") }
    position += word.utf8.count
    return value
  }

  private mutating func object(_ depth: Int) throws(ModelError) -> JSONValue {
    position += 1
    var members: [(key: String, value: JSONValue)] = []
    if take(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw error("expected a key")
      }
      let key = try string()
      guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
      members.append((key, try value(depth: depth + 1)))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw error("expected ',' or '}'") }
    return .object(members)
  }

  private mutating func array(_ depth: Int) throws(ModelError) -> JSONValue {
    position += 1
    var values: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(values) }
    repeat { values.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']'") }
    return .array(values)
  }

  private mutating func number() throws(ModelError) -> Double {
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
        UInt8(ascii: "E"):
        position += 1
        continue
      default: break
      }
      break
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      position = start
      throw error("expected a value, found \(quoted(bytes[start...].prefix(20)))")
    }
    return value
  }

  private mutating func string() throws(ModelError) -> String {
    position += 1
    let start = position
    while position < bytes.count, bytes[position] != 0x22, bytes[position] != 0x5C, bytes[position] >= 0x20 {
      position += 1
    }
    if position < bytes.count, bytes[position] == 0x22 {
      defer { position += 1 }
      return try text(bytes[start..<position])
    }
    var result = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case 0x22:
        defer { position += 1 }
        return try text(result[...])
      case 0x5C: try escape(into: &result)
      case 0..<0x20: throw error("a control character within text")
      default:
        result.append(byte)
        position += 1
      }
    }
    throw error("text without an end")
  }

  private func text(_ bytes: ArraySlice<UInt8>) throws(ModelError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw error("text that is not UTF-8") }
    return text
  }

  private mutating func escape(into result: inout [UInt8]) throws(ModelError) {
    guard position + 1 < bytes.count else { throw error("text without an end") }
    let sign = bytes[position + 1]
    position += 2
    switch sign {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(sign)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var point = try hexadecimal()
      if (0xD800..<0xDC00).contains(point), bytes[position...].starts(with: [0x5C, 0x75]) {
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
        point = 0x10000 + (point - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(point) else { throw error("half a surrogate pair") }
      result.append(contentsOf: String(scalar).utf8)
    default: throw error("an unknown escape in text")
    }
  }

  private mutating func hexadecimal() throws(ModelError) -> UInt32 {
    guard position + 4 <= bytes.count,
      bytes[position..<position + 4].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("expected four hexadecimal digits") }
    position += 4
    return value
  }
}
