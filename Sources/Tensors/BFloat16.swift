/// A 16-bit floating-point number with the exponent range of Float: its sign, its 8 exponent bits and 7 bits of fraction.
///
/// A storage type: it converts, compares and prints; arithmetic happens in Float. Conversion from wider types rounds to
/// the nearest value, ties to even, in one step, as IEEE 754 prescribes for its own formats; NaN stays NaN and keeps its
/// sign.
public struct BFloat16: BitwiseCopyable, Sendable, Hashable, CustomStringConvertible,
  ExpressibleByFloatLiteral,
  ExpressibleByIntegerLiteral
{
  /// The 16 bits: the upper half of the Float with the same value.
  public var bitPattern: UInt16

  /// The number with these bits.
  @inlinable
  public init(bitPattern: UInt16) {
    self.bitPattern = bitPattern
  }

  /// Rounds to the nearest value, ties to even; values beyond the largest finite one by half a step or more become infinite.
  @inlinable
  public init(_ value: Float) {
    let bits = value.bitPattern
    if value.isNaN {
      // Truncation could drop every set bit of the payload and turn NaN into infinity: set the quiet bit.
      self.bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
    } else {
      // Adding half a step minus one, plus the lowest kept bit, carries exactly where rounding to even goes up.
      self.bitPattern = UInt16(truncatingIfNeeded: (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)
    }
  }

  /// Rounds to the nearest value in one step, ties to even.
  public init(nearest value: Double) {
    self.init(Float(roundedToOdd: value))
  }

  /// The nearest value to a literal such as `0.1`.
  public init(floatLiteral value: Double) {
    self.init(nearest: value)
  }

  /// The nearest value to a literal such as `3`.
  public init(integerLiteral value: Int) {
    self.init(nearest: Double(value))
  }

  /// Zero.
  public static var zero: BFloat16 { BFloat16(bitPattern: 0) }

  /// Positive infinity.
  public static var infinity: BFloat16 { BFloat16(bitPattern: 0x7F80) }

  /// A quiet NaN.
  public static var nan: BFloat16 { BFloat16(bitPattern: 0x7FC0) }

  /// The largest finite value, about 3.39e38.
  public static var greatestFiniteMagnitude: BFloat16 { BFloat16(bitPattern: 0x7F7F) }

  /// Whether this is a NaN.
  public var isNaN: Bool { Float(self).isNaN }

  /// Whether this is neither infinite nor NaN.
  public var isFinite: Bool { Float(self).isFinite }

  /// Equal as numbers: +0 equals −0, NaN equals nothing.
  public static func == (left: BFloat16, right: BFloat16) -> Bool {
    Float(left) == Float(right)
  }

  /// Equal values hash alike, +0 and −0 among them.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(Float(self))
  }

  /// As Float prints the same value.
  public var description: String { Float(self).description }
}

extension BFloat16: Comparable {
  /// Ordered as numbers; NaN is ordered with nothing.
  public static func < (left: BFloat16, right: BFloat16) -> Bool {
    Float(left) < Float(right)
  }
}

extension Float {
  /// The same value, exactly.
  @inlinable
  public init(_ value: BFloat16) {
    self.init(bitPattern: UInt32(value.bitPattern) << 16)
  }
}
