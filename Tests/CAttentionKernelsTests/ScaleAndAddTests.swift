import CAttentionKernels
import Testing

/// Sums of two weighted rows. The numbers are eighths, so every result is exact and has to be equal.
@Suite struct ScaleAndAddTests {
  private static let factors: [Double] = [0, 1, 0.5, -2, 0.375]

  @Test(arguments: KernelTables.names, factors)
  func sumsWeightedRows(set: String, factor: Double) {
    let kernels = KernelTables.named(set)
    for otherFactor in Self.factors {
      for n in 0...70 {
        let (offset, count) = (n % 4, n + 24)
        let target = (0..<count).map { Double($0 * 13 % 57 - 28) / 8 }
        let other = (0..<count).map { Double($0 * 17 % 61 - 30) / 8 }
        let (narrowTarget, narrowOther) = (target.map(Float.init), other.map(Float.init))
        var single = narrowTarget
        var double = target
        single.withUnsafeMutableBufferPointer { single in
          narrowOther.withUnsafeBufferPointer {
            kernels.pointee.scale_and_add_f32(
              single.baseAddress! + offset, n, Float(factor), $0.baseAddress! + 1, Float(otherFactor))
          }
        }
        double.withUnsafeMutableBufferPointer { double in
          other.withUnsafeBufferPointer {
            kernels.pointee.scale_and_add_f64(
              double.baseAddress! + offset, n, factor, $0.baseAddress! + 1, otherFactor)
          }
        }
        for index in target.indices {
          let isInside = index >= offset && index < offset + n
          let own = target[index] * factor
          let part = isInside ? other[index - offset + 1] * otherFactor : 0
          let expected = isInside ? own + part : target[index]
          #expect(
            single[index] == Float(expected) && double[index] == expected,
            "\(set), factors \(factor) and \(otherFactor), n \(n), at \(index)")
        }
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func whatCountsIsNotHidden(set: String) {
    let kernels = KernelTables.named(set)
    for (own, other, factor) in [(Float.nan, Float(1), Float(0)), (1, .nan, 0), (.infinity, -.infinity, 0.5)]
    {
      var target = [Float](repeating: own, count: 37)
      kernels.pointee.scale_and_add_f32(&target, 37, factor, [Float](repeating: other, count: 37), factor)
      #expect(target.allSatisfy { $0.isNaN }, "\(set), \(own) and \(other)")
    }
  }
}
