import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct BFloat16Tests {
  /// The value of 16 bits by the definition of the format: sign, 8 exponent bits, 7 fraction bits.
  private static func value(ofBits bits: UInt16) -> Double {
    let sign: Double = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 7 & 0xFF)
    let fraction = Double(bits & 0x7F)
    switch exponent {
    case 0: return sign * scalbn(fraction, -133)
    case 0xFF: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * scalbn(128 + fraction, exponent - 134)
    }
  }

  /// The bits of the nearest value, by bisection over all of them and exact differences.
  private static func nearestBits(_ value: Double) -> UInt16 {
    if value.isNaN { return 0x7FC0 }
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    let magnitude = value.magnitude
    // As for every IEEE format, the bound of overflow is where one more exponent would put the next value.
    let valueOrLimit = { (bits: UInt16) in bits == 0x7F80 ? 0x1p128 : Self.value(ofBits: bits) }
    if magnitude >= 0x1p128 { return sign | 0x7F80 }
    var lower: UInt16 = 0
    var upper: UInt16 = 0x7F80
    while upper - lower > 1 {
      let middle = (lower + upper) / 2
      if valueOrLimit(middle) <= magnitude { lower = middle } else { upper = middle }
    }
    let below = magnitude - valueOrLimit(lower)
    let above = valueOrLimit(upper) - magnitude
    if below == above { return sign | (lower & 1 == 0 ? lower : upper) }
    return sign | (below < above ? lower : upper)
  }

  @Test func allBitPatternsHaveTheirValueAndReturn() {
    for bits in UInt16.min...UInt16.max {
      let number = BFloat16(bitPattern: bits)
      let expected = Self.value(ofBits: bits)
      #expect(number.isNaN == expected.isNaN && number.isFinite == expected.isFinite, "bits \(bits)")
      if expected.isNaN {
        // A signalling NaN comes back quiet; sign and payload stay.
        #expect(BFloat16(Float(number)).bitPattern == bits | 0x40, "bits \(bits)")
        #expect(number.doubleValue.isNaN && BFloat16(nearest: number.doubleValue).isNaN, "bits \(bits)")
      } else {
        #expect(number.doubleValue == expected && Double(Float(number)) == expected, "bits \(bits)")
        #expect(BFloat16(Float(number)).bitPattern == bits, "bits \(bits)")
        #expect(BFloat16(nearest: expected).bitPattern == bits, "bits \(bits)")
      }
    }
  }

  /// Every midpoint, its neighbours in Float and in Double, both signs: ties, overflow, subnormals and double rounding.
  @Test func roundingAtEveryMidpointIsToNearestEven() {
    for bits in UInt16(0)..<0x7F80 {
      let upper = bits == 0x7F7F ? 0x1p128 : Self.value(ofBits: bits + 1)
      let middle = (Self.value(ofBits: bits) + upper) / 2
      for sign in [1.0, -1.0] {
        for value in [middle, middle.nextUp, middle.nextDown].map({ sign * $0 }) {
          #expect(BFloat16(nearest: value).bitPattern == Self.nearestBits(value), "\(value)")
        }
        let single = Float(sign * middle)
        for value in [single, single.nextUp, single.nextDown] {
          #expect(BFloat16(value).bitPattern == Self.nearestBits(Double(value)), "\(value)")
        }
      }
    }
  }

  @Test func roundingOfRandomBitsIsToNearestEven() {
    var generator = SplitMix(seed: 1)
    for _ in 0..<100_000 {
      let single = Float(bitPattern: generator.next())
      let double = Double(bitPattern: generator.next())
      // Of all Doubles few are in range: the fraction of one with the exponent of the other.
      let mixed = scalbn(double.significand, Int.random(in: -150...130, using: &generator))
      for value in [Double(single), double, mixed] where !value.isNaN {
        #expect(BFloat16(nearest: value).bitPattern == Self.nearestBits(value), "\(value)")
      }
      if !single.isNaN {
        #expect(BFloat16(single).bitPattern == Self.nearestBits(Double(single)), "\(single)")
      }
    }
  }

  @Test func edges() {
    #expect(BFloat16(Float.greatestFiniteMagnitude).bitPattern == 0x7F80)
    #expect(BFloat16(nearest: 1e300) == .infinity)
    #expect(BFloat16(nearest: -.infinity).bitPattern == 0xFF80)
    #expect(BFloat16(nearest: -0.0).bitPattern == 0x8000)
    #expect(BFloat16(nearest: -1e-300).bitPattern == 0x8000)
    #expect(BFloat16(Float.leastNonzeroMagnitude).bitPattern == 0)
    // Rounded to Float first, this would land on the tie and go to the even 1.
    #expect(BFloat16(nearest: 1 + 0x1p-8 + 0x1p-40).bitPattern == 0x3F81)
    #expect(BFloat16(Float(nan: 1, signaling: false)).isNaN)
  }

  @Test func comparesAsNumbers() {
    let minusZero = BFloat16(bitPattern: 0x8000)
    #expect(BFloat16.zero == minusZero && BFloat16.zero.hashValue == minusZero.hashValue)
    #expect(BFloat16.nan != BFloat16.nan)
    #expect(!(BFloat16.nan < 1) && !(1 < BFloat16.nan))
    #expect(BFloat16(-2) < -1.5 && BFloat16.greatestFiniteMagnitude < .infinity)
    #expect("\(BFloat16(1.5))" == "1.5")
  }
}
