import CAttentionKernels
import Testing

/// `scores[i] − slope · |first + i|` against Double, where the product of two floats is exact.
@Suite struct AlibiTests {
  @Test(arguments: KernelTables.names, [-100, -33, -5, 0, 12, 1_000_000.0])
  func followsTheDefinitionAtEveryLength(set: String, first: Double) {
    let kernels = KernelTables.named(set)
    for n in 0...70 {
      for (offset, slope) in [(1, 0.25), (2, 0.840896), (3, 0.0), (0, 0.00390625)] {
        let scores = (0..<n + offset + 20).map { Float(($0 * 29) % 83 - 41) * 0.37 }
        var single = scores
        var double = scores.map(Double.init)
        let slope32 = Float(slope)
        single.withUnsafeMutableBufferPointer {
          kernels.pointee.add_alibi_f32($0.baseAddress! + offset, n, slope32, Float(first))
        }
        double.withUnsafeMutableBufferPointer {
          kernels.pointee.add_alibi_f64($0.baseAddress! + offset, n, Double(slope32), first)
        }
        for index in scores.indices {
          let context: Comment = "\(set), first \(first), n \(n), slope \(slope), at \(index)"
          if index < offset || index >= offset + n {
            #expect(single[index] == scores[index] && double[index] == Double(scores[index]), context)
            continue
          }
          let product = Double(slope32) * abs(first + Double(index - offset))
          let exact = Double(scores[index]) - product
          // One rounding; a set without fma rounds the product as well. The oracle's own rounding is 2^-53.
          let half = Double(Float(exact).ulp) / 2 + (set == "scalar" ? Double(Float(product).ulp) / 2 : 0)
          #expect(abs(Double(single[index]) - exact) <= half * (1 + 0x1p-20), context)
          #expect(abs(double[index] - exact) <= exact.ulp + product.ulp, context)
        }
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func distancesStayExactInLongRows(set: String) {
    // Distances that are summed up from 1/3 round again at each power of two, and differ in every second place.
    let n = 1 << 20
    var whole = [Float](repeating: 0, count: n)
    KernelTables.named(set).pointee.add_alibi_f32(&whole, n, 1, 0)
    #expect(whole.indices.allSatisfy { whole[$0] == -Float($0) })
    let third = Float(1.0 / 3)
    var fraction = [Float](repeating: 0, count: n)
    KernelTables.named(set).pointee.add_alibi_f32(&fraction, n, 1, third)
    #expect(fraction.indices.allSatisfy { fraction[$0] == -(Float($0) + third) })
  }

  @Test(arguments: KernelTables.names)
  func hiddenScoresStayHidden(set: String) {
    for n in [1, 9, 40] {
      var scores = (0..<n).map { [-Float.infinity, .nan, .infinity][$0 % 3] }
      KernelTables.named(set).pointee.add_alibi_f32(&scores, n, 0.5, -7)
      for (index, score) in scores.enumerated() {
        #expect(
          [score == -.infinity, score.isNaN, score == .infinity][index % 3], "\(set), n \(n), at \(index)")
      }
    }
  }
}
