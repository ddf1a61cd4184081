/// GPT-2's alphabet: every byte written as one printable character, so that tokens can stand in text files.
///
/// The 188 bytes that print in Latin-1 (`!`…`~`, `¡`…`¬`, `®`…`ÿ`) stand for themselves; the other 68, in order,
/// are U+0100, U+0101, …: a space is `Ġ`.
enum ByteAlphabet {
  /// The byte that a character stands for, by the character's code point; -1 where it stands for none.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    var next = 0x100
    for byte in 0..<256 {
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: table[byte] = Int16(byte)
      default:
        table[next] = Int16(byte)
        next += 1
      }
    }
    return table
  }()

  /// The bytes that a token's text stands for; nil if a character is outside the alphabet.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    // Code points of the alphabet take one or two bytes of UTF-8.
    var lead: Int?
    for unit in text {
      let point: Int
      if let high = lead {
        guard unit & 0xC0 == 0x80 else { return nil }
        point = high << 6 | Int(unit & 0x3F)
        lead = nil
      } else if unit < 0x80 {
        point = Int(unit)
      } else if unit & 0xE0 == 0xC0 {
        lead = Int(unit & 0x1F)
        continue
      } else {
        return nil
      }
      guard point < bytes.count, bytes[point] >= 0 else { return nil }
      result.append(UInt8(bytes[point]))
    }
    return lead == nil ? result : nil
  }
}
