/// A fixed, seekable stream of random numbers: number `i` depends on the seed and on `i` alone.
///
/// Goals, in this order: the same numbers for ever, on every machine; a sound distribution; speed. Hence a counter-based
/// generator, and a transformation in which one draw makes one number and nothing is called that may round differently
/// elsewhere: products, sums, quotients and square roots only, in Double, without fused multiply-adds and without the C
/// library's logarithm.
///
/// The 64 bits of draw `i` are SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, with the constants of S. Vigna's splitmix64.c): `mix(origin + (i + 1)·γ)`. The origin is a mix of the seed, so
/// that seeds which are near one another start far apart on the one cycle of 2⁶⁴.
///
/// Rejected: xoshiro256++ and the ziggurat, about twice as fast for normals, but a number then depends on all before it.
package struct RandomStream: Sendable {
  private let origin: UInt64

  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  package init(seed: UInt64) {
    self.origin = Self.mix(seed &+ Self.step)
  }

  /// The bits of draw `index`.
  @inline(__always)
  package func bits(_ index: Int) -> UInt64 {
    Self.mix(origin &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* Self.step)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// Draw `index` as one of the 2⁵³ multiples of 2⁻⁵³ in [0, 1).
  @inline(__always)
  func unit(_ index: Int) -> Double {
    Double(Int64(truncatingIfNeeded: bits(index) >> 11)) * 0x1p-53
  }

  /// Draws `start ..< start + count` as standard normal numbers, by inversion of the distribution function.
  ///
  /// The probability is one of the 2⁵² odd multiples of 2⁻⁵³: never 0 or 1, symmetric about ½, and exact in a Double. So no
  /// number is beyond ±8.21, which 2 in 10¹⁶ would be.
  ///
  /// The middle of the distribution is computed for all, in a loop without branches that vectorises; then the 15 % in the
  /// tails again. Branching on each draw costs more, as no predictor can guess it.
  func normals(from start: Int, count: Int, into block: UnsafeMutablePointer<Double>) {
    withUnsafeTemporaryAllocation(of: Int.self, capacity: count + 1) { tails in
      var tailCount = 0
      for index in 0..<count {
        let q = (Double(Int64(truncatingIfNeeded: bits(start &+ index) >> 12)) + 0.5) * 0x1p-52 - 0.5
        block[index] = q
        tails[tailCount] = index
        tailCount &+= q.magnitude > 0.425 ? 1 : 0
      }
      // The middle formula overwrites the tails' probabilities: save them first.
      withUnsafeTemporaryAllocation(of: Double.self, capacity: tailCount + 1) { saved in
        for tail in 0..<tailCount { saved[tail] = block[tails[tail]] }
        for index in 0..<count { block[index] = normalMiddleQuantile(block[index]) }
        for tail in 0..<tailCount { block[tails[tail]] = normalTailQuantile(saved[tail]) }
      }
    }
  }
}

// The value below which a standard normal number lies with probability ½ + q, to about 1 part in 10¹⁶:
// M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37(3), 1988
// (PPND16). A rational function of the probability in the middle 85 %, of √(−ln p) in the tails.

/// The quantile where |q| is at most 0.425; elsewhere a number without meaning.
@inline(__always)
private func normalMiddleQuantile(_ q: Double) -> Double {
  let r = 0.180625 - q * q
  let numerator =
    ((((((2.50908_09287_30122_6727e+3 * r + 3.34305_75583_58812_8105e+4) * r
      + 6.72657_70927_00870_0853e+4) * r + 4.59219_53931_54987_1457e+4) * r
      + 1.37316_93765_50946_1125e+4) * r + 1.97159_09503_06551_4427e+3) * r
      + 1.33141_66789_17843_7745e+2) * r + 3.38713_28727_96366_6080e+0
  let denominator =
    ((((((5.22649_52788_52854_5610e+3 * r + 2.87290_85735_72194_2674e+4) * r
      + 3.93078_95800_09271_0610e+4) * r + 2.12137_94301_58659_5867e+4) * r
      + 5.39419_60214_24751_1077e+3) * r + 6.87187_00749_20579_0830e+2) * r
      + 4.23133_30701_60091_1252e+1) * r + 1.0
  return q * numerator / denominator
}

/// The quantile where |q| is more than 0.425: either tail holds at most 0.075.
@inline(__always)
private func normalTailQuantile(_ q: Double) -> Double {
  let root = (-naturalLogarithm(0.5 - q.magnitude)).squareRoot()
  let numerator: Double
  let denominator: Double
  if root <= 5 {
    let r = root - 1.6
    numerator =
      ((((((7.74545_01427_83414_07640e-4 * r + 2.27238_44989_26918_45833e-2) * r
        + 2.41780_72517_74506_11770e-1) * r + 1.27045_82524_52368_38258e+0) * r
        + 3.64784_83247_63204_60504e+0) * r + 5.76949_72214_60691_40550e+0) * r
        + 4.63033_78461_56545_29590e+0) * r + 1.42343_71107_49683_57734e+0
    denominator =
      ((((((1.05075_00716_44416_84324e-9 * r + 5.47593_80849_95344_94600e-4) * r
        + 1.51986_66563_61645_71966e-2) * r + 1.48103_97642_74800_74590e-1) * r
        + 6.89767_33498_51000_04550e-1) * r + 1.67638_48301_83803_84940e+0) * r
        + 2.05319_16266_37758_82187e+0) * r + 1.0
  } else {
    let r = root - 5
    numerator =
      ((((((2.01033_43992_92288_13265e-7 * r + 2.71155_55687_43487_57815e-5) * r
        + 1.24266_09473_88078_43860e-3) * r + 2.65321_89526_57612_30930e-2) * r
        + 2.96560_57182_85048_91230e-1) * r + 1.78482_65399_17291_33580e+0) * r
        + 5.46378_49111_64114_36990e+0) * r + 6.65790_46435_01103_77720e+0
    denominator =
      ((((((2.04426_31033_89939_78564e-15 * r + 1.42151_17583_16445_88870e-7) * r
        + 1.84631_83175_10054_68180e-5) * r + 7.86869_13114_56132_59100e-4) * r
        + 1.48753_61290_85061_48525e-2) * r + 1.36929_88092_27358_05310e-1) * r
        + 5.99832_20655_58879_37690e-1) * r + 1.0
  }
  let magnitude = numerator / denominator
  return q < 0 ? -magnitude : magnitude
}

/// ln of a normal positive number, to about 2 units in the last place.
///
/// `value = m·2ᵉ` with m in [√½, √2) and `ln m = 2 artanh s`, `s = (m − 1)/(m + 1)`, |s| < 0.172: the first term left out of
/// the series, s²²/23, is below 10⁻¹⁸.
private func naturalLogarithm(_ value: Double) -> Double {
  // Counting from the bits of √½ puts the mantissa into its interval without a branch.
  let shifted = value.bitPattern &- 0x3FE6_A09E_667F_3BCD
  let exponent = Double(Int64(bitPattern: shifted) >> 52)
  let mantissa = Double(bitPattern: (shifted & 0x000F_FFFF_FFFF_FFFF) &+ 0x3FE6_A09E_667F_3BCD)
  let s = (mantissa - 1) / (mantissa + 1)
  let z = s * s
  let low = (((1.0 / 9 * z + 1.0 / 7) * z + 1.0 / 5) * z + 1.0 / 3) * z
  let high = ((((1.0 / 21 * z + 1.0 / 19) * z + 1.0 / 17) * z + 1.0 / 15) * z + 1.0 / 13) * z + 1.0 / 11
  let z2 = z * z
  return exponent * 0.6931471805599453 + 2 * s * (1 + (low + high * (z2 * z2 * z)))
}
