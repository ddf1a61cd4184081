import CAttentionKernels
import Foundation
import Testing

/// `exp` of every set within the contract's 2 ulp, counted against a result of twice the precision.
@Suite struct ExpTests {
  @Test(arguments: KernelTables.names)
  func floatIsWithinTwoUlp(set: String) {
    let kernels = KernelTables.named(set)
    // Every 61st float from −0 to −110: all exponents, 18 million values; 61 is odd, so all last bits occur.
    let last = Float(-110).bitPattern
    var worst = 0.0
    var worstInput: Float = 0
    var bits = Float(-0.0).bitPattern
    var input = [Float](repeating: 0, count: 1021)
    var output = input
    while bits <= last {
      for index in input.indices { input[index] = Float(bitPattern: min(bits &+ UInt32(index) &* 61, last)) }
      bits += UInt32(input.count) * 61
      kernels.pointee.exp_nonpositive_f32(input, &output, input.count)
      for (x, y) in zip(input, output) {
        let exact = exp(Double(x))
        // The step of the format at the exact value; below the normal range it no longer shrinks.
        let step = Double(max(Float(exact), .leastNormalMagnitude).ulp)
        let error = abs(Double(y) - exact) / step
        if !(error <= worst) { (worst, worstInput) = (error, x) }
      }
    }
    #expect(worst <= 2, "exp(\(worstInput)) is \(worst) ulp off")
  }

  @Test(arguments: KernelTables.names)
  func doubleIsWithinTwoUlp(set: String) {
    let kernels = KernelTables.named(set)
    // The C library's exp is within 1 ulp, so a bound of 1 against it proves 2.
    var generator = SystemIndependentGenerator(state: 7)
    let input =
      (0..<500_000).map { _ in -Double(generator.next() >> 11) * 0x1p-53 * 750 } + [0, -0.0, -1, -700]
    var output = input
    kernels.pointee.exp_nonpositive_f64(input, &output, input.count)
    for (x, y) in zip(input, output) {
      let exact = exp(x)
      let step = max(exact, .leastNormalMagnitude).ulp
      #expect(abs(y - exact) <= step, "exp(\(x)) = \(y), expected \(exact)")
    }
  }

  @Test(arguments: KernelTables.names)
  func specialValues(set: String) {
    let kernels = KernelTables.named(set)
    let input: [Float] = [0, -0.0, -.infinity, .nan, -.greatestFiniteMagnitude, -103.9, -104, -1e-30]
    var output = input
    kernels.pointee.exp_nonpositive_f32(input, &output, input.count)
    #expect(output[0] == 1 && output[1] == 1 && output[2] == 0 && output[3].isNaN && output[4] == 0)
    #expect(output[5] == .leastNonzeroMagnitude && output[6] == 0 && output[7] == 1)
    let wide = input.map(Double.init)
    var wideOutput = wide
    kernels.pointee.exp_nonpositive_f64(wide, &wideOutput, wide.count)
    #expect(wideOutput[0] == 1 && wideOutput[1] == 1 && wideOutput[2] == 0 && wideOutput[3].isNaN)
    #expect(wideOutput[4] == 0 && wideOutput[7] == 1)
  }
}
