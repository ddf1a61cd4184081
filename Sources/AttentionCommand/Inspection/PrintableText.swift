// Text from a file is hostile until shown otherwise: it can move a terminal's cursor, turn the direction of a line, or end
// an attribute of XML.

extension String {
  /// The text on one line that shows every character: what would be invisible, or would change what stands around it,
  /// becomes `\u{…}`.
  ///
  /// Control characters, marks of direction and other format characters, line separators, code points without a meaning and
  /// spaces other than U+0020 are escaped; so is the backslash, as `\\`. So are combining marks with nothing before them to
  /// combine with, and those that pile up on one letter.
  var printable: String {
    var result = ""
    // Marks that may still follow: three are more than any script's spelling needs on most letters.
    var room = 0
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
        result += scalar.escaped
        room = 0
      case .spaceSeparator where scalar != " ":
        result += scalar.escaped
        room = 0
      case .nonspacingMark, .enclosingMark, .spacingMark:
        if room > 0 { result.unicodeScalars.append(scalar) } else { result += scalar.escaped }
        room = max(0, room - 1)
      default:
        if scalar == "\\" { result += "\\\\" } else { result.unicodeScalars.append(scalar) }
        room = 3
      }
    }
    return result
  }

  /// Columns of a terminal that the text takes: two for wide characters (Unicode's East Asian Width), one for others.
  var columns: Int {
    reduce(0) { $0 + ($1.unicodeScalars.first.map { $0.isWide ? 2 : 1 } ?? 0) }
  }

  /// The text cut to a number of columns, the last of them an ellipsis where something is missing.
  func truncated(toColumns limit: Int) -> String {
    if columns <= limit { return self }
    var result = ""
    var used = 1
    for character in self {
      let width = String(character).columns
      if used + width > limit { break }
      result.append(character)
      used += width
    }
    return result + "…"
  }

  /// The text as XML's character data or as an attribute's value between double quotes.
  ///
  /// - Precondition: ``printable`` text: XML has no escape for most control characters.
  var xml: String {
    var result = ""
    for character in unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  /// JSON text in which control and format characters, which strings may hold as they are, are `\uXXXX`: the same JSON,
  /// and harmless on a terminal. Line breaks are left alone: outside of strings they are layout, inside they are escaped.
  var harmlessJSON: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control where scalar != "\n", .format, .lineSeparator, .paragraphSeparator:
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension Unicode.Scalar {
  /// As Swift writes it in a string: `\u{202E}`.
  fileprivate var escaped: String { "\\u{\(String(value, radix: 16, uppercase: true))}" }

  /// Whether terminals give it two columns: the blocks of East Asian scripts and of emoji.
  fileprivate var isWide: Bool {
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
      0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      true
    default: properties.isEmojiPresentation
    }
  }
}
