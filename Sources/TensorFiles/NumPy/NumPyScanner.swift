import Tensors

/// Reads the Python dict of an .npy header: its three keys in any order, each once, and nothing else.
///
/// It is the few literals that NumPy writes, not Python: whatever else stands there is an error that shows it.
struct NumPyScanner {
  let text: [UInt8]
  let path: String
  var position = 0

  init(text: [UInt8], path: String) {
    self.text = text
    self.path = path
  }

  /// The whole header: the dict, then only spaces and line ends.
  mutating func dictionary() throws(TensorFileError) -> (ElementType, isFortranOrder: Bool, Shape) {
    var type: ElementType?
    var isFortranOrder: Bool?
    var shape: Shape?
    try expect("{")
    while !take("}") {
      let key = try string("a key")
      try expect(":")
      let isNew: Bool
      switch key {
      case "descr": (isNew, type) = (type == nil, try elementType())
      case "fortran_order": (isNew, isFortranOrder) = (isFortranOrder == nil, try boolean())
      case "shape": (isNew, shape) = (shape == nil, try tuple())
      default: throw defect("the key \(quoted(key)), expected descr, fortran_order or shape")
      }
      guard isNew else { throw defect("the key \(quoted(key)) comes twice") }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipSpaces()
    guard position == text.count else { throw defect("\(found) after the dict, expected its end") }
    guard let type, let isFortranOrder, let shape else {
      let missing = type == nil ? "descr" : isFortranOrder == nil ? "fortran_order" : "shape"
      throw defect("no key \(quoted(missing))")
    }
    return (type, isFortranOrder, shape)
  }
}

// MARK: - Values

extension NumPyScanner {
  private mutating func elementType() throws(TensorFileError) -> ElementType {
    skipSpaces()
    if let first = text[position...].first, first == UInt8(ascii: "[") || first == UInt8(ascii: "(") {
      throw defect("a structured descr, \(found), expected one number type, as '<f4'")
    }
    let description = try string("the descr")
    if let type = ElementType(numPyDescription: description) { return type }
    let fault =
      switch description.first {
      case ">": "big-endian numbers"
      case "|" where description.hasPrefix("|O"): "pickled Python objects"
      default: "another type"
      }
    let known = ElementType.allCases.compactMap(\.numPyName).joined(separator: ", ")
    throw defect(
      "descr \(quoted(description)) means \(fault), expected one of \(known) in little-endian order")
  }

  private mutating func boolean() throws(TensorFileError) -> Bool {
    if take("True") { return true }
    if take("False") { return false }
    throw defect("\(found) for fortran_order, expected True or False")
  }

  /// `()`, `(3,)`, `(3, 4)` or `(3, 4,)`; `(3)` is a number in Python.
  private mutating func tuple() throws(TensorFileError) -> Shape {
    var lengths: [Int] = []
    var hasComma = false
    try expect("(")
    while !take(")") {
      guard lengths.isEmpty || hasComma else { throw defect("\(found) in the shape, expected ',' or ')'") }
      guard lengths.count < Shape.maximumRank else {
        throw defect("a shape of more than \(Shape.maximumRank) axes")
      }
      lengths.append(try length())
      hasComma = take(",")
    }
    guard lengths.count != 1 || hasComma else {
      throw defect("the shape (\(lengths[0])) is no tuple, expected (\(lengths[0]),)")
    }
    return Shape(lengths)
  }

  private mutating func length() throws(TensorFileError) -> Int {
    skipSpaces()
    let digits = text[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else {
      throw defect("\(found) in the shape, expected a length")
    }
    guard let length = Int(String(decoding: digits, as: UTF8.self)) else {
      throw defect("the length \(found) does not fit an Int")
    }
    position = digits.endIndex
    return length
  }
}

// MARK: - Tokens

extension NumPyScanner {
  /// A string without escapes, in quotes of either kind.
  private mutating func string(_ what: String) throws(TensorFileError) -> String {
    skipSpaces()
    guard let quote = text[position...].first, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { throw defect("\(found) for \(what), expected a string") }
    let inside = text[(position + 1)...].prefix { $0 != quote && $0 >= 0x20 && $0 < 0x7F }
    guard inside.endIndex < text.count, text[inside.endIndex] == quote else {
      throw defect("the string \(found) does not end, or is not ASCII")
    }
    position = inside.endIndex + 1
    return String(decoding: inside, as: UTF8.self)
  }

  private mutating func take(_ token: String) -> Bool {
    skipSpaces()
    guard text[position...].starts(with: token.utf8) else { return false }
    position += token.utf8.count
    return true
  }

  private mutating func expect(_ token: String) throws(TensorFileError) {
    guard take(token) else { throw defect("\(found), expected '\(token)'") }
  }

  private mutating func skipSpaces() {
    while position < text.count, text[position] == UInt8(ascii: " ") || text[position] == UInt8(ascii: "\n") {
      position += 1
    }
  }

  /// What stands here, for errors.
  private var found: String {
    position == text.count ? "its end" : quoted(String(decoding: text[position...].prefix(40), as: UTF8.self))
  }

  private func defect(_ reason: String) -> TensorFileError {
    TensorFileError(path: path, reason: "the header has \(reason), at its byte \(position)")
  }
}
