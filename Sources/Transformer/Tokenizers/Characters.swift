/// The classes of characters that published patterns split text by: `\p{L}`, `\p{N}`, `\s` and the rest.
enum CharacterClass {
  case letter
  case number
  case space
  case other
}

/// A character of UTF-8 text: its code point and how many bytes it takes.
struct Character32 {
  let point: UInt32
  let length: Int

  /// The character that starts at `index` of valid UTF-8.
  @inline(__always)
  init(at index: Int, of bytes: [UInt8]) {
    let lead = bytes[index]
    if lead < 0x80 {
      self.init(point: UInt32(lead), length: 1)
    } else {
      self.init(afterASCII: index, of: bytes)
    }
  }

  private init(point: UInt32, length: Int) {
    self.point = point
    self.length = length
  }

  private init(afterASCII index: Int, of bytes: [UInt8]) {
    let lead = bytes[index]
    let expected = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    var value = UInt32(lead) & (0x7F >> UInt32(expected))
    // Texts come from `String`, whose UTF-8 is valid; the bound only keeps a mistake from reading past the end.
    let stop = min(index + expected, bytes.count)
    var next = index + 1
    while next < stop {
      value = value << 6 | UInt32(bytes[next] & 0x3F)
      next += 1
    }
    self.init(point: value, length: stop - index)
  }

  @inline(__always)
  var characterClass: CharacterClass {
    point < 0x80 ? Self.classes[Int(point)] : Self.classify(point)
  }

  var isNewline: Bool { point == 0x0A || point == 0x0D }

  private static let classes: [CharacterClass] = (0..<0x80).map { classify(UInt32($0)) }

  private static func classify(_ point: UInt32) -> CharacterClass {
    guard let scalar = Unicode.Scalar(point) else { return .other }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      return .number
    default:
      return scalar.properties.isWhitespace ? .space : .other
    }
  }
}

/// Whether these bytes are UTF-8.
func isUTF8(_ bytes: some Sequence<UInt8>) -> Bool {
  var iterator = bytes.makeIterator()
  var decoder = UTF8()
  while true {
    switch decoder.decode(&iterator) {
    case .scalarValue: continue
    case .emptyInput: return true
    case .error: return false
    }
  }
}
