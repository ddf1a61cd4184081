import Foundation

/// What BERT's BasicTokenizer does to a text before it is cut into words.
struct BERTText: Sendable {
  var cleans = true
  var isolatesChinese = true
  var stripsAccents = true
  var lowercases = true

  func prepared(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if cleans {
        if Self.isRemoved(scalar) { continue }
        if Self.isSpace(scalar) {
          result.append(" ")
          continue
        }
      }
      if isolatesChinese, Self.isChinese(scalar.value) {
        result.append(contentsOf: [" ", scalar, " "])
      } else {
        result.append(scalar)
      }
    }
    if stripsAccents {
      let decomposed = NormalForm.canonicalDecomposition.applied(to: String(result))
      result = String.UnicodeScalarView()
      for scalar in decomposed.unicodeScalars where scalar.properties.generalCategory != .nonspacingMark {
        result.append(scalar)
      }
    }
    guard lowercases else { return String(result) }
    // Character by character, without the rule for a final sigma, as BERT's tokenizers do.
    var lower = ""
    for scalar in result {
      if scalar.isASCII {
        let value = scalar.value
        lower.unicodeScalars.append(
          value >= 0x41 && value <= 0x5A ? Unicode.Scalar(UInt8(value + 0x20)) : scalar)
      } else {
        lower.unicodeScalars.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return lower
  }

  /// `prepared` for text of ASCII alone, where only cleaning and lower case have anything to do.
  func preparedASCII(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + 1)
    for byte in bytes {
      switch byte {
      case 0x09, 0x0A, 0x0D: result.append(cleans ? 0x20 : byte)
      case 0..<0x20, 0x7F: if !cleans { result.append(byte) }
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): result.append(lowercases ? byte + 0x20 : byte)
      default: result.append(byte)
      }
    }
    return result
  }

  /// NUL, the replacement character, and control characters other than tab and line ends.
  private static func isRemoved(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0, 0xFFFD: return true
    case 0x09, 0x0A, 0x0D: return false
    case 0x20...0x7E: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .privateUse, .surrogate: return true
    default: return false
    }
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII
      ? scalar.value == 0x20 || (0x09...0x0D).contains(scalar.value) : scalar.properties.isWhitespace
  }

  /// The blocks of Chinese characters that BERT sets apart: not kana, not Hangul. Extension E starts 256 late, as in
  /// Hugging Face's `tokenizers`, which the models are used with.
  private static func isChinese(_ point: UInt32) -> Bool {
    switch point {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      return true
    default:
      return false
    }
  }

  /// ASCII signs that are neither letters, digits nor spaces, and Unicode's category P.
  static func isPunctuation(_ point: UInt32) -> Bool {
    switch point {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0..<0x80: return false
    default: break
    }
    switch Unicode.Scalar(point)?.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default:
      return false
    }
  }
}
