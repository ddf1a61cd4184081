import ArgumentParser

// Numbers from text that somebody else wrote. Swift's own conversions to floating point stop at a NUL and take what is no decimal number:
// hexadecimal digits, `inf`, `nan(…)`.

/// The integer that the whole text is, in ASCII digits with a sign or without; nil for another text, and beyond Int.
func strictInteger(_ text: some StringProtocol) -> Int? {
  var digits = Substring(text).utf8
  if let first = digits.first, isSign(first) { digits.removeFirst() }
  return !digits.isEmpty && digits.allSatisfy(isDigit) ? Int(text) : nil
}

/// The decimal number that the whole text is: digits with a sign, a point and an exponent or without, `-0.5`, `.5` or `1e-3`, in ASCII;
/// infinite beyond Double, nil for another text.
func strictNumber(_ text: some StringProtocol) -> Double? {
  var rest = Substring(text).utf8
  func skipSign() {
    if let first = rest.first, isSign(first) { rest.removeFirst() }
  }
  func skipDigits() -> Int {
    let digits = rest.prefix(while: isDigit).count
    rest.removeFirst(digits)
    return digits
  }
  skipSign()
  var digits = skipDigits()
  if rest.first == UInt8(ascii: ".") {
    rest.removeFirst()
    digits += skipDigits()
  }
  guard digits > 0 else { return nil }
  if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
    rest.removeFirst()
    skipSign()
    guard skipDigits() > 0 else { return nil }
  }
  return rest.isEmpty ? Double(text) : nil
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

private func isSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") }

/// A decimal number on a command line, kept as it was written: the attribute that it overrides is text too.
struct DecimalText: ExpressibleByArgument {
  let text: String

  init?(argument: String) {
    guard strictNumber(argument) != nil else { return nil }
    text = argument
  }
}

/// An integer on a command line, kept as it was written.
struct IntegerText: ExpressibleByArgument {
  let text: String

  init?(argument: String) {
    guard strictInteger(argument) != nil else { return nil }
    text = argument
  }
}
