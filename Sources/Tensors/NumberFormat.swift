/// How the numbers of one description are written: all with the same width, so that columns align.
///
/// NumPy's rules with `precision=4, suppress=True`: at most four decimals, correctly rounded, and no more than it takes to tell a
/// number from its neighbours of the same type; an exponent for all where the largest magnitude has more digits than the
/// type (10⁸ at most). One departure: numbers that are all below 10⁻⁴ get an exponent too, as they would all read `0.`.
struct NumberFormat<Element: TensorElement> {
  private static var maximumDecimals: Int { 4 }

  private let isExponential: Bool
  private let decimals: Int
  private let exponentDigits: Int
  private let width: Int
  private let fractionWidth: Int

  /// The format for these elements.
  init(fitting elements: [Element]) {
    guard Element.self is any FloatingPointElement.Type else {
      (isExponential, decimals, exponentDigits, fractionWidth) = (false, 0, 0, 0)
      width = elements.map { Self.plainText($0).count }.max() ?? 0
      return
    }
    let finite = elements.filter { $0.doubleValue.isFinite }
    let largest = finite.map { $0.doubleValue.magnitude }.max() ?? 0
    isExponential = largest >= Self.exponentialFrom || (largest > 0 && largest < 1e-4)
    var (decimals, exponentDigits, fraction, whole) = (0, 2, 0, 0)
    if isExponential {
      let parts = finite.map { Self.scientificParts($0, minimumDecimals: 0) }
      decimals = parts.map { $0.decimals }.max() ?? 0
      exponentDigits = Swift.max(2, parts.map { String($0.exponent.magnitude).count }.max() ?? 2)
      fraction = decimals + 2 + exponentDigits
      whole = finite.contains { $0.doubleValue.sign == .minus } ? 2 : 1
    } else {
      for text in finite.map({ Self.positionalText($0) }) {
        let digits = text.split(separator: ".", omittingEmptySubsequences: false)
        whole = Swift.max(whole, digits[0].count)
        fraction = Swift.max(fraction, digits[1].count)
      }
    }
    let others = elements.filter { !$0.doubleValue.isFinite }.map { Self.plainText($0).count }.max() ?? 0
    (self.decimals, self.exponentDigits, fractionWidth) = (decimals, exponentDigits, fraction)
    width = Swift.max(finite.isEmpty ? 0 : whole + 1 + fraction, others)
  }

  /// One element, padded to the width of all.
  func text(_ element: Element) -> String {
    guard Element.self is any FloatingPointElement.Type, element.doubleValue.isFinite else {
      return Self.padded(Self.plainText(element), to: width)
    }
    if isExponential {
      let parts = Self.scientificParts(element, minimumDecimals: decimals)
      let digits = Self.pointed(parts.digits, decimals: decimals)
      let exponent = String(parts.exponent.magnitude)
      let zeros = String(repeating: "0", count: exponentDigits - exponent.count)
      return Self.padded(
        "\(parts.isNegative ? "-" : "")\(digits)e\(parts.exponent < 0 ? "-" : "+")\(zeros)\(exponent)",
        to: width)
    }
    let text = Self.positionalText(element)
    let fraction = text.split(separator: ".", omittingEmptySubsequences: false)[1].count
    return Self.padded(text + String(repeating: " ", count: fractionWidth - fraction), to: width)
  }

  private static func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: Swift.max(0, width - text.count)) + text
  }

  /// Integers, Bools, infinities and NaN.
  private static func plainText(_ element: Element) -> String {
    let value = element.doubleValue
    if value.isNaN { return "nan" }
    return value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(element)"
  }

  /// Where exponents begin: as many digits as the type holds, but no more than eight.
  private static var exponentialFrom: Double {
    switch Element.elementType {
    case .float32: 1e6
    case .float16: 1e3
    case .bfloat16: 1e2
    case .float64, .int64, .int32, .int8, .uint8, .bool: 1e8
    }
  }

  /// A finite element below 10⁸ with a decimal point and at most four decimals, as few as identify it.
  private static func positionalText(_ element: Element) -> String {
    let value = element.doubleValue
    var decimals = 0
    while decimals < maximumDecimals {
      // 15 digits and a power of ten are exact, so the quotient is the nearest Double to the decimal number.
      let candidate = Double(scaledInteger(value.magnitude, decimals)) / powerOfTen(decimals)
      if Element(nearest: value.sign == .minus ? -candidate : candidate) == element { break }
      decimals += 1
    }
    var digits = scaledInteger(value.magnitude, decimals)
    while decimals > 0 && digits % 10 == 0 {
      digits /= 10
      decimals -= 1
    }
    return (value.sign == .minus ? "-" : "") + pointed(digits, decimals: decimals)
  }

  /// `value · 10^decimals` rounded to an integer, ties to even, from the exact value: in 128 bits the product is exact.
  private static func scaledInteger(_ value: Double, _ decimals: Int) -> UInt64 {
    guard value > 0 else { return 0 }
    let exponent = Int(value.exponent) - 52
    let product = UInt128(value.significandBitPattern | 1 << 52) * UInt128(powerOfTen(decimals))
    if exponent >= 0 { return UInt64(product << UInt128(exponent)) }
    // The product has at most 67 bits: shifted further than that it is less than a half.
    guard exponent > -70 else { return 0 }
    let quotient = product >> UInt128(-exponent)
    let rest = product - quotient << UInt128(-exponent)
    let half: UInt128 = 1 << UInt128(-exponent - 1)
    let roundsUp = rest > half || (rest == half && quotient & 1 == 1)
    return UInt64(quotient + (roundsUp ? 1 : 0))
  }

  private static func powerOfTen(_ exponent: Int) -> Double {
    [1, 10, 100, 1000, 10000][exponent]
  }

  /// `digits · 10^-decimals`, always with a point: `12.5`, `3.`
  private static func pointed(_ digits: UInt64, decimals: Int) -> String {
    var text = String(digits)
    if text.count <= decimals { text = String(repeating: "0", count: decimals + 1 - text.count) + text }
    return "\(text.dropLast(decimals)).\(text.suffix(decimals))"
  }

  /// The digits and the decimal exponent of a finite element, one digit before the point: as many decimals as identify it, at
  /// least `minimumDecimals` and at most four.
  private static func scientificParts(
    _ element: Element, minimumDecimals: Int
  ) -> (isNegative: Bool, digits: UInt64, decimals: Int, exponent: Int) {
    let value = element.doubleValue
    let isNegative = value.sign == .minus
    guard value != 0 else { return (isNegative, 0, 0, 0) }
    let (allDigits, count, exponent) = shortestDecimal(value.magnitude)
    func rounded(to decimals: Int) -> (digits: UInt64, exponent: Int) {
      let digits = Self.rounded(allDigits, from: count, to: decimals + 1)
      // 9.99… may round up to 10.
      return String(digits).count > decimals + 1 ? (digits / 10, exponent + 1) : (digits, exponent)
    }
    var decimals = minimumDecimals
    while decimals < maximumDecimals {
      let (digits, exponent) = rounded(to: decimals)
      let text = "\(isNegative ? "-" : "")\(digits)e\(exponent - decimals)"
      if Double(text).map({ Element(nearest: $0) == element }) == true { break }
      decimals += 1
    }
    var (digits, roundedExponent) = rounded(to: decimals)
    while decimals > minimumDecimals && digits % 10 == 0 {
      digits /= 10
      decimals -= 1
    }
    return (isNegative, digits, decimals, roundedExponent)
  }

  /// The shortest decimal number that identifies a Double: its digits, how many they are, the exponent of the first.
  private static func shortestDecimal(_ value: Double) -> (digits: UInt64, count: Int, exponent: Int) {
    let parts = value.description.split(separator: "e")
    let digits = parts[0].split(separator: ".")
    var text = Substring(digits.joined())
    var exponent = digits[0].count - 1 + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    while text.count > 1 && text.first == "0" {
      text.removeFirst()
      exponent -= 1
    }
    while text.count > 1 && text.last == "0" { text.removeLast() }
    return (UInt64(text) ?? 0, text.count, exponent)
  }

  /// A number of `count` digits with `target` digits, rounded to nearest, ties to even.
  private static func rounded(_ digits: UInt64, from count: Int, to target: Int) -> UInt64 {
    var power: UInt64 = 1
    for _ in 0..<(count - target).magnitude { power *= 10 }
    if count <= target { return digits * power }
    let quotient = digits / power
    let twice = digits % power * 2
    return quotient + (twice > power || (twice == power && quotient & 1 == 1) ? 1 : 0)
  }
}
