// Rounding helpers behind the conversions between element types.
//
// Going from a wide to a narrow type by way of a middle one rounds twice, and two roundings to nearest are not one: just
// above a tie, the first may land on the tie. Rounding to odd first (the neighbour with an odd last bit, where the value is
// between two) keeps what the second rounding needs, whenever the middle type has two bits more than the narrow one
// (S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008).

extension Float {
  /// The value, or of its two neighbours in Float the one with an odd last bit; beyond all of them the largest, which is odd.
  ///
  /// Without branches, as no predictor can guess the last bit.
  @inline(__always)
  init(roundedToOdd value: Double) {
    let rounded = Float(value)
    let back = Double(rounded)
    let truncated = rounded.bitPattern &- (back.magnitude > value.magnitude ? 1 : 0)
    self.init(bitPattern: truncated | (back != value ? 1 : 0))
  }

  /// The value of a Float16 with these bits, exactly; a NaN keeps its payload.
  ///
  /// Arithmetic on bits, as the x86-64 baseline has no instruction for it and the compiler would call a function per
  /// element. Bits moved into a Float's place are too small by 2¹¹², subnormals included: one exact product mends that.
  @inline(__always)
  init(halfBits: UInt16) {
    let magnitude = UInt32(halfBits & 0x7FFF) << 13
    var bits = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    // The largest exponent means infinity or NaN here as there.
    if magnitude >= 0x7C00 << 13 { bits = magnitude | 0x7F80_0000 }
    self.init(bitPattern: bits | UInt32(halfBits & 0x8000) << 16)
  }

  /// The bits of the nearest Float16, ties to even; a NaN becomes quiet.
  @inline(__always)
  var nearestHalfBits: UInt16 {
    let sign = UInt16(truncatingIfNeeded: bitPattern >> 16) & 0x8000
    let magnitude = bitPattern & 0x7FFF_FFFF
    // Below the smallest normal 2⁻¹⁴ the last place is 2⁻²⁴, that of a Float in [½, 1): adding ½ rounds to it.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000
    // Otherwise move the exponent's bias from 127 to 15 and round at bit 13; a carry moves into the exponent, and from the
    // largest finite value to infinity, as it should.
    let normal = (magnitude &- 0x3800_0000 &+ 0xFFF &+ (magnitude >> 13 & 1)) >> 13
    let special = magnitude > 0x7F80_0000 ? 0x7E00 | (magnitude >> 13 & 0x3FF) : 0x7C00
    let bits = magnitude < 0x3880_0000 ? subnormal : magnitude >= 0x4780_0000 ? special : normal
    return sign | UInt16(truncatingIfNeeded: bits)
  }
}

extension Double {
  /// The value, or of its two neighbours in Double the one with an odd last bit.
  init(roundedToOdd value: Int64) {
    let rounded = Double(value)
    // 2⁶³, which no Int64 reaches, is nil here: too large.
    let back = Int64(exactly: rounded)
    if back == value {
      self = rounded
    } else {
      let isMagnitudeTooLarge = back.map { $0.magnitude > value.magnitude } ?? true
      self.init(bitPattern: (isMagnitudeTooLarge ? rounded.bitPattern - 1 : rounded.bitPattern) | 1)
    }
  }
}
