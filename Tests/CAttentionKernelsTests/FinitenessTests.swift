import CAttentionKernels
import Testing

/// One number that is not finite, at every place of rows of every length: asked for by itself, and along with a softcap.
@Suite struct FinitenessTests {
  @Test(arguments: KernelTables.names) func findsWhatIsNotFinite(set: String) {
    let kernels = KernelTables.named(set)
    for n in 0...70 {
      var single = [Float](repeating: .greatestFiniteMagnitude, count: n + 2)
      var double = [Double](repeating: -.greatestFiniteMagnitude, count: n + 2)
      // What stands past the end does not count.
      (single[n + 1], double[n + 1]) = (.nan, .infinity)
      func areFinite() -> (Bool, Bool) {
        let asked = (
          single.withUnsafeBufferPointer { kernels.pointee.all_finite_f32($0.baseAddress! + 1, n) } != 0,
          double.withUnsafeBufferPointer { kernels.pointee.all_finite_f64($0.baseAddress! + 1, n) } != 0
        )
        var (cappedSingle, cappedDouble) = (single, double)
        let capped = (
          cappedSingle.withUnsafeMutableBufferPointer {
            kernels.pointee.softcap_f32($0.baseAddress! + 1, n, 2, 0.5)
          } != 0,
          cappedDouble.withUnsafeMutableBufferPointer {
            kernels.pointee.softcap_f64($0.baseAddress! + 1, n, 2, 0.5)
          } != 0
        )
        #expect(asked == capped, "\(set), n \(n)")
        return asked
      }
      #expect(areFinite() == (true, true), "\(set), n \(n)")
      for place in 0..<n {
        for (a, b) in [(Float.nan, Double.infinity), (-.infinity, .nan), (.infinity, -.infinity)] {
          (single[place + 1], double[place + 1]) = (a, b)
          #expect(areFinite() == (false, false), "\(set), n \(n), \(a) and \(b) at \(place)")
        }
        (single[place + 1], double[place + 1]) = (0, -0.0)
      }
    }
  }
}
