import CAttentionKernels
import Foundation
import Testing

/// `cap · tanh(score / cap)`: with a cap of 1 both products are exact, and what is left is `tanh` itself.
@Suite struct SoftcapTests {
  @Test(arguments: KernelTables.names)
  func floatTanhIsWithinFourUlp(set: String) {
    let kernels = KernelTables.named(set)
    // Every 13th float where tanh bends, 11 million of them: all last bits occur. Every 4099th elsewhere: all exponents.
    let (bend, flat) = (Float(0x1p-13).bitPattern, Float(9.1).bitPattern)
    var worst = 0.0
    var worstInput: Float = 0
    var input = [Float](repeating: 0, count: 1021)
    var bits: UInt32 = 0
    while bits < Float.infinity.bitPattern {
      for index in input.indices {
        input[index] = Float(bitPattern: min(bits, Float.infinity.bitPattern))
        bits += bits >= bend && bits < flat ? 13 : 4099
      }
      var output = input
      _ = kernels.pointee.softcap_f32(&output, output.count, 1, 1)
      for (x, y) in zip(input, output) {
        let error: Double
        if x.bitPattern < bend {
          // tanh(x) = x − x³/3 + …: below 2^-13 it is x to within 2^-27, an eighth of a step.
          error = abs(Double(y) - Double(x)) / Double(x.ulp) + 0.125
        } else if x.bitPattern >= flat {
          error = y == 1 ? 0 : .infinity
        } else {
          error = y > 1 ? .infinity : Self.ulps(y, from: tanh(Double(x)))
        }
        if !(error <= worst) { (worst, worstInput) = (error, x) }
      }
    }
    #expect(worst <= 4, "tanh(\(worstInput)) is \(worst) ulp off")
  }

  /// The distance in steps of the format at the exact value, which is not negative.
  private static func ulps(_ y: Float, from exact: Double) -> Double {
    let nearest = Float(exact)
    return abs(Double(y) - exact) / Double((Double(nearest) > exact ? nearest.nextDown : nearest).ulp)
  }

  @Test(arguments: KernelTables.names)
  func doubleTanhIsWithinFourUlp(set: String) {
    let kernels = KernelTables.named(set)
    var generator = SystemIndependentGenerator(state: 11)
    func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
    var input = (0..<200_000).map { _ in uniform() * 1.2 } + (0..<200_000).map { _ in uniform() * 20 }
    // Every exponent there is, and both sides of the seam.
    input += (-1074..<5).flatMap { exponent in
      (0..<50).map { _ in scalbn(1 + uniform(), exponent) }
    }
    input += [0.55, 0.55.nextDown, 0.55.nextUp, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 19, 0]
    var output = input
    _ = kernels.pointee.softcap_f64(&output, output.count, 1, 1)
    for (x, y) in zip(input, output) {
      // The C library's tanh is within 2 ulp: a bound of 2 against it proves 4.
      let exact = tanh(x)
      let step = (exact == 1 ? exact.nextDown : exact).ulp
      #expect(abs(y - exact) <= 2 * step && y <= 1, "tanh(\(x)) = \(y), expected \(exact)")
      if x >= 20 { #expect(y == 1, "tanh(\(x)) = \(y)") }
    }
  }

  @Test(arguments: KernelTables.names, [1, 30, 50, 0.37])
  func everyLengthAndAlignment(set: String, cap: Double) {
    let kernels = KernelTables.named(set)
    let inverse = 1 / cap
    for n in 0...70 {
      for offset in [1, 2, 3] {
        // Numbers past the end are there to be spoilt: a kernel that writes them is caught.
        let scores = (0..<n + offset + 20).map { Double(($0 * 37) % 101 - 50) * cap / 16 + 0.01 }
        var single = scores.map(Float.init)
        var double = scores
        let narrow = single
        single.withUnsafeMutableBufferPointer {
          _ = kernels.pointee.softcap_f32($0.baseAddress! + offset, n, Float(cap), Float(inverse))
        }
        double.withUnsafeMutableBufferPointer {
          _ = kernels.pointee.softcap_f64($0.baseAddress! + offset, n, cap, inverse)
        }
        for index in scores.indices {
          let context: Comment = "\(set), n \(n), offset \(offset), at \(index)"
          if index < offset || index >= offset + n {
            #expect(single[index] == narrow[index] && double[index] == scores[index], context)
            continue
          }
          // In units of 2^-23 (2^-52): tanh 4; the cap and its inverse as floats, and two products, half each.
          let (s, d) = (cap * tanh(Double(narrow[index]) / cap), cap * tanh(scores[index] / cap))
          #expect(abs(Double(single[index]) - s) <= 6 * 0x1p-23 * abs(s), context)
          #expect(abs(double[index] - d) <= 6 * 0x1p-52 * abs(d), context)
        }
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func specialValuesAndSymmetry(set: String) {
    let kernels = KernelTables.named(set)
    let values: [Float] = [
      0, -0.0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, 0x1p-149, -0x1.8p-140,
    ]
    // In every lane: full vectors and rests have code of their own.
    for n in [1, 7, 40] {
      for value in values {
        var single = [Float](repeating: value, count: n)
        _ = kernels.pointee.softcap_f32(&single, n, 30, 1)
        var double = [Double](repeating: Double(value), count: n)
        _ = kernels.pointee.softcap_f64(&double, n, 30, 1)
        let context: Comment = "\(set), \(value), n \(n)"
        if value.isNaN {
          #expect(single.allSatisfy { $0.isNaN } && double.allSatisfy { $0.isNaN }, context)
        } else if abs(value) < 1 {
          // Subnormal numbers are exact: 30 times the number, with its sign.
          #expect(single.allSatisfy { $0 == 30 * value && $0.sign == value.sign }, context)
          #expect(double.allSatisfy { $0 == 30 * Double(value) && $0.sign == value.sign }, context)
        } else {
          #expect(single.allSatisfy { $0 == (value < 0 ? -30 : 30) }, context)
          #expect(double.allSatisfy { $0 == (value < 0 ? -30 : 30) }, context)
        }
      }
    }
    var generator = SystemIndependentGenerator(state: 5)
    var positive = (0..<4096).map { _ in Float(generator.next() >> 40) * 0x1p-20 }
    var negative = positive.map { -$0 }
    _ = kernels.pointee.softcap_f32(&positive, positive.count, 5, 0.2)
    _ = kernels.pointee.softcap_f32(&negative, negative.count, 5, 0.2)
    #expect(positive == negative.map { -$0 })
  }
}
