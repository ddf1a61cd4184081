/// Decisions taken from the bytes of an input, first to last. Past their end every decision is the first choice, so that any input is
/// whole and a shorter one is a simpler problem.
struct InputBytes {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position >= bytes.count }

  mutating func byte() -> UInt8 {
    guard position < bytes.count else { return 0 }
    defer { position += 1 }
    return bytes[position]
  }

  /// A number of the range, which has at most 2¹⁶ of them.
  mutating func int(_ range: ClosedRange<Int>) -> Int {
    let count = range.upperBound - range.lowerBound + 1
    let drawn = count <= 256 ? Int(byte()) : Int(byte()) << 8 | Int(byte())
    return range.lowerBound + drawn % count
  }

  /// One of the choices.
  mutating func pick<T>(_ choices: [T]) -> T { choices[int(0...choices.count - 1)] }

  /// True for `count` of 8 values.
  mutating func chance(_ count: Int) -> Bool { int(0...7) >= 8 - count }

  /// 64 bits.
  mutating func word() -> UInt64 { (0..<8).reduce(0) { bits, _ in bits << 8 | UInt64(byte()) } }

  /// An Int near 0 as a rule, else one that calculations have to watch out for.
  mutating func anyInt() -> Int {
    switch int(0...7) {
    case 0...4: int(-2...40)
    case 5: pick([.max, .max - 1, .min, .min + 1, .max / 2, .max / 2 + 1])
    case 6: pick([1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32, 1 << 53, 1 << 40])
    default: Int(truncatingIfNeeded: word())
    }
  }

  /// A Double that is small as a rule, else one at the edges of types.
  mutating func anyDouble() -> Double {
    switch int(0...7) {
    case 0...4: Double(int(-60...60)) / 8
    case 5: pick([.nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    case 6: pick([1e-40, 1e38, 3.5e38, -3.5e38, 0x1p-1070, 0x1p-126, 65504, 1e300])
    default: Double(bitPattern: word())
    }
  }

  /// What is left, cut at NUL bytes into at most `count` texts.
  mutating func rest(parts count: Int) -> [[UInt8]] {
    let parts = bytes[min(position, bytes.count)...].split(
      separator: 0, maxSplits: count - 1, omittingEmptySubsequences: false)
    position = bytes.count
    return parts.map { Array($0) }
  }
}
