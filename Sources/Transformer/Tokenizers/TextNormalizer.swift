import Foundation

/// A normal form of Unicode (UAX #15).
enum NormalForm: Sendable {
  case canonicalComposition
  case canonicalDecomposition

  func applied(to text: String) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
    switch self {
    case .canonicalDecomposition: return text.decomposedStringWithCanonicalMapping
    case .canonicalComposition:
      if !text.unicodeScalars.contains(where: Self.isApart) {
        return text.precomposedStringWithCanonicalMapping
      }
      return Self.composedInPieces(text)
    }
  }

  /// Foundation composes some characters that compose with nothing: it reads Hangul jamo one beyond the ends of
  /// their ranges, and characters above U+FFFF by their low 16 bits. Each of those is composed apart from the rest,
  /// which changes nothing else, as nothing joins or passes a character that starts a cluster and composes with none.
  private static func isApart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1113...0x1160, 0x1176...0x11A7, 0x11C3...0x11FF: true
    // Indic scripts with characters that do compose.
    case 0x11000...0x11FFF, 0x16100...0x16DFF: false
    case 0x10000...0x10FFFF: scalar.properties.canonicalCombiningClass == .notReordered
    default: false
    }
  }

  private static func composedInPieces(_ text: String) -> String {
    var result = ""
    var piece = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if isApart(scalar) {
        result += String(piece).precomposedStringWithCanonicalMapping
        result += String(scalar).precomposedStringWithCanonicalMapping
        piece.removeAll()
      } else {
        piece.append(scalar)
      }
    }
    return result + String(piece).precomposedStringWithCanonicalMapping
  }
}

/// What is done to the text between special tokens before it is cut into words.
struct TextNormalizer: Sendable {
  /// Where a space is put in front of text (SentencePiece's "dummy prefix").
  enum SpacePrefix: Sendable {
    case never
    /// In front of each stretch of text between special tokens.
    case everyStretch
    /// Only at the start of the whole text.
    case start
  }

  var form: NormalForm?
  var bert: BERTText?
  /// `▁` is a space.
  var joinsMetaspace = false
  var prefix = SpacePrefix.never
  /// A text that starts with a space is not given another.
  var prefixesOnlyWords = false

  var changesNothing: Bool {
    guard case .never = prefix else { return false }
    return form == nil && bert == nil && !joinsMetaspace
  }

  /// The normalized stretch `bytes[range]`; `isStart`: nothing stands in front of it.
  func applied(to bytes: [UInt8], _ range: Range<Int>, isStart: Bool) -> [UInt8] {
    var text: [UInt8]
    let isASCII = form == nil && bert == nil || bytes[range].allSatisfy { $0 < 0x80 }
    if !isASCII {
      var string = String(decoding: bytes[range], as: UTF8.self)
      if let form { string = form.applied(to: string) }
      if let bert { string = bert.prepared(string) }
      text = Array(string.utf8)
    } else if let bert {
      text = bert.preparedASCII(bytes[range])
    } else {
      text = Array(bytes[range])
    }
    if joinsMetaspace { text = Self.withSpaces(text) }
    let wantsPrefix: Bool
    switch prefix {
    case .never: wantsPrefix = false
    case .everyStretch: wantsPrefix = true
    case .start: wantsPrefix = isStart
    }
    if wantsPrefix, !text.isEmpty, !(prefixesOnlyWords && text[0] == 0x20) { text.insert(0x20, at: 0) }
    return text
  }

  /// The bytes with each `▁` (U+2581) replaced by a space.
  static func withSpaces(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0xE2) else { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0xE2, index + 2 < bytes.count, bytes[index + 1] == 0x96, bytes[index + 2] == 0x81 {
        result.append(0x20)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }
}
