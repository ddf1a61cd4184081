extension SafetensorsHeader {
  /// Reads JSON from front to back, as RFC 8259 has it and no laxer.
  ///
  /// Why not Foundation: `JSONSerialization` and `JSONDecoder` keep one of two members with the same name, where a reader
  /// that keeps the other one sees another file; they hand out numbers as Double or round `1e3` and `1.0` to integers; and
  /// they would be this room's only use of Foundation. A header needs objects, arrays, strings and natural numbers only.
  ///
  /// The bytes are a private copy: a mapped file that changes under the scanner cannot confuse it, and each access is
  /// checked against the array's bounds.
  struct Scanner {
    /// Nesting that is still read: one less than serde_json's limit of 128, so that both accept the same documents.
    static let maximumDepth = 127

    private let bytes: [UInt8]
    private let path: String
    private var position = 0
    private var depth = 0

    /// Checks that all bytes are UTF-8; every string cut out at quotes and backslashes is then, too.
    init(_ bytes: [UInt8], path: String) throws(TensorFileError) {
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw TensorFileError(path: path, reason: "the header is not UTF-8")
      }
      self.bytes = bytes
      self.path = path
    }

    /// An error of what stands at the current position.
    func defect(_ reason: String) -> TensorFileError {
      TensorFileError(path: path, reason: "header byte \(position): \(reason)")
    }
  }
}

// MARK: - Tokens

extension SafetensorsHeader.Scanner {
  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  /// Skips white space, then `character` where it comes next.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipWhitespace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(TensorFileError) {
    guard take(character) else { throw defect("expected '\(character)'") }
  }

  /// Nothing but white space may follow.
  mutating func end() throws(TensorFileError) {
    skipWhitespace()
    guard next == nil else { throw defect("expected the end of the header") }
  }

  /// Digits without sign, fraction, exponent or leading zero, whose value fits an Int.
  mutating func naturalNumber() throws(TensorFileError) -> Int {
    skipWhitespace()
    let start = position
    var value = 0
    while let digit = takeDigit() {
      guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
        throw defect("a number starts with 0")
      }
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = scaled.addingReportingOverflow(digit)
      guard !overflow && !carry else { throw defect("a number is greater than \(Int.max)") }
      value = sum
    }
    guard position > start else { throw defect("expected a non-negative integer") }
    if let byte = next, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(byte) {
      throw defect("expected an integer without fraction or exponent")
    }
    return value
  }

  private mutating func takeDigit() -> Int? {
    guard let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
    position += 1
    return Int(byte - UInt8(ascii: "0"))
  }
}

// MARK: - Strings

extension SafetensorsHeader.Scanner {
  /// A string with its escapes resolved.
  mutating func string() throws(TensorFileError) -> String {
    try expect("\"")
    var text: [UInt8] = []
    var start = position
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text += bytes[start..<position]
        position += 1
        let string = String(decoding: text, as: UTF8.self)
        guard string.isStreamSafe else { throw defect(String.streamSafeDefect) }
        return string
      case UInt8(ascii: "\\"):
        text += bytes[start..<position]
        position += 1
        text += Array(String(try escape()).utf8)
        start = position
      case 0..<0x20:
        throw defect("a control character in a string must be escaped")
      default:
        position += 1
      }
    }
    throw defect("the header ends inside a string")
  }

  /// What follows a backslash.
  private mutating func escape() throws(TensorFileError) -> Unicode.Scalar {
    guard let byte = next else { throw defect("the header ends inside a string") }
    let scalar: Unicode.Scalar? =
      switch Unicode.Scalar(byte) {
      case "\"", "\\", "/": Unicode.Scalar(byte)
      case "b": "\u{8}"
      case "f": "\u{C}"
      case "n": "\n"
      case "r": "\r"
      case "t": "\t"
      default: nil
      }
    if let scalar {
      position += 1
      return scalar
    }
    let unit = try unicodeEscape()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    // Characters beyond U+FFFF are two escapes, a high surrogate and a low one; either alone is no character.
    guard UTF16.isLeadSurrogate(unit), next == UInt8(ascii: "\\") else {
      throw defect("half a surrogate pair in a string")
    }
    position += 1
    let second = try unicodeEscape()
    guard UTF16.isTrailSurrogate(second) else { throw defect("half a surrogate pair in a string") }
    return UTF16.decode(UTF16.EncodedScalar([unit, second]))
  }

  /// `u` and four hexadecimal digits.
  private mutating func unicodeEscape() throws(TensorFileError) -> UInt16 {
    guard next == UInt8(ascii: "u") else { throw defect("an unknown escape in a string") }
    position += 1
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw defect("expected four hexadecimal digits")
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }
}

// MARK: - Values

extension SafetensorsHeader.Scanner {
  /// An object: `member` reads the value that belongs to each name. A name that comes twice is an error.
  mutating func object(
    _ member: (inout Self, String) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    try expect("{")
    try enter()
    var names: Set<String> = []
    var isFirst = true
    while !take("}") {
      if !isFirst { try expect(",") }
      isFirst = false
      let name = try string()
      guard names.insert(name).inserted else { throw defect("the name \(quoted(name)) comes twice") }
      try expect(":")
      try member(&self, name)
    }
    depth -= 1
  }

  /// An array: `element` reads each value.
  mutating func array(
    _ element: (inout Self) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    try expect("[")
    try enter()
    var isFirst = true
    while !take("]") {
      if !isFirst { try expect(",") }
      isFirst = false
      try element(&self)
    }
    depth -= 1
  }

  /// Any value, checked for syntax and dropped.
  mutating func skipValue() throws(TensorFileError) {
    skipWhitespace()
    switch next {
    case UInt8(ascii: "{"): try object { (scanner, _) throws(TensorFileError) in try scanner.skipValue() }
    case UInt8(ascii: "["): try array { (scanner) throws(TensorFileError) in try scanner.skipValue() }
    case UInt8(ascii: "\""): _ = try string()
    default:
      for word in ["true", "false", "null"] where bytes[position...].starts(with: word.utf8) {
        position += word.utf8.count
        return
      }
      try skipNumber()
    }
  }

  private mutating func skipNumber() throws(TensorFileError) {
    _ = take("-")
    let start = position
    try skipDigits()
    guard bytes[start] != UInt8(ascii: "0") || position == start + 1 else {
      throw defect("a number starts with 0")
    }
    if next == UInt8(ascii: ".") {
      position += 1
      try skipDigits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    // As serde_json: what no Double can hold is no number.
    guard Double(String(decoding: bytes[start..<position], as: UTF8.self))?.isFinite == true else {
      throw defect("a number is out of range")
    }
  }

  private mutating func skipDigits() throws(TensorFileError) {
    guard takeDigit() != nil else { throw defect("expected a value") }
    while takeDigit() != nil {}
  }

  private mutating func enter() throws(TensorFileError) {
    depth += 1
    guard depth <= Self.maximumDepth else { throw defect("nested deeper than \(Self.maximumDepth) levels") }
  }
}

extension String {
  /// What is wrong with a string that is not ``isStreamSafe``.
  static var streamSafeDefect: String { "a string has more than 30 combining marks in a row" }

  /// Whether no more than 30 combining marks follow each other, the bound of Unicode's Stream-Safe Text Format (UAX #15).
  ///
  /// To hash or compare a string, Swift sorts each run of such marks by insertion: a name of 100 MB of them takes days.
  var isStreamSafe: Bool {
    var run = 0
    for scalar in unicodeScalars {
      run = scalar.properties.canonicalCombiningClass == .notReordered ? 0 : run + 1
      if run > 30 { return false }
    }
    return true
  }
}
