import CAttentionKernels
import Testing

/// Doubles to narrower types: one rounding, to nearest even, at every tie that the half types have.
@Suite struct DoubleStoreTests {
  /// The numbers around each tie of a 16-bit format and the patterns that they have to become. `value` gives the format's
  /// number for a pattern without sign, and for the one past the largest finite the power of two that would come next.
  private static func ties(patterns: ClosedRange<UInt16>, value: (UInt16) -> Double) -> [(Double, UInt16)] {
    patterns.flatMap { pattern -> [(Double, UInt16)] in
      let (low, high) = (value(pattern), value(pattern + 1))
      // Exact: the two have at most 11 bits and neighbouring last places.
      let tie = (low + high) / 2
      let cases = [
        (low, pattern), (low.nextUp, pattern), (tie.nextDown, pattern), (tie.nextUp, pattern + 1),
        (tie, pattern & 1 == 0 ? pattern : pattern + 1), (high.nextDown, pattern + 1),
        (tie * (1 - 0x1p-40), pattern), (tie * (1 + 0x1p-40), pattern + 1),
      ]
      return cases + cases.map { (-$0.0, $0.1 | 0x8000) }
    }
  }

  @Test(arguments: KernelTables.names)
  func everyTieOfFloat16(set: String) {
    let cases = Self.ties(patterns: 0...0x7BFF) { $0 == 0x7C00 ? 65536 : Double(Float16(bitPattern: $0)) }
    var target = [UInt16](repeating: 0, count: cases.count)
    let finite = KernelTables.named(set).pointee.store_f64_to_f16(
      &target, 1, cases.map(\.0), cases.count, 1)
    #expect(finite == 1)
    for (found, (source, expected)) in zip(target, cases) where found != expected {
      Issue.record("\(set): \(source) as f16 is \(found), expected \(expected)")
    }
  }

  @Test(arguments: KernelTables.names)
  func everyTieOfBFloat16(set: String) {
    let cases = Self.ties(patterns: 0...0x7F7F) {
      $0 == 0x7F80 ? 0x1p128 : Double(Float(bitPattern: UInt32($0) << 16))
    }
    var target = [UInt16](repeating: 0, count: cases.count)
    let finite = KernelTables.named(set).pointee.store_f64_to_bf16(
      &target, 1, cases.map(\.0), cases.count, 1)
    #expect(finite == 1)
    for (found, (source, expected)) in zip(target, cases) where found != expected {
      Issue.record("\(set): \(source) as bf16 is \(found), expected \(expected)")
    }
  }

  @Test(arguments: KernelTables.names)
  func floatsRoundToNearestEven(set: String) {
    var generator = SystemIndependentGenerator(state: 9)
    var source = (0..<50_000).map { _ in Double(bitPattern: generator.next()) }.filter { $0.isFinite }
    // Ties: the first bit that float drops is set and no other.
    source += (0..<50_000).map { _ in
      Double(Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()) & 0xBFFF_FFFF)) * (1 + 0x1p-24)
    }
    source += [1e300, -1e300, 0, -0.0, 0x1p-150, 0x1p-150.nextUp, 3.4028235677973366e38]
    var target = [Float](repeating: 0, count: source.count)
    #expect(KernelTables.named(set).pointee.store_f64_to_f32(&target, 1, source, source.count, 1) == 1)
    for (found, exact) in zip(target, source) where found.bitPattern != Float(exact).bitPattern {
      Issue.record("\(set): \(exact) as f32 is \(found)")
    }
  }

  @Test(arguments: KernelTables.names)
  func everyLengthAndStride(set: String) {
    let kernels = KernelTables.named(set)
    for n in 0...70 {
      for stride in [1, 2, 5, -1, -3] {
        let source = (0..<n + 1).map { Double($0 % 50) * 0.25 }
        let span = n * abs(stride) + 40
        let start = stride < 0 ? span - 17 : 17
        var floats = [Float](repeating: -9, count: span)
        var halves = [Float16](repeating: -9, count: span)
        var words = [UInt16](repeating: 0xFFFF, count: span)
        // One element into the source: no pointer is aligned to a vector.
        let finite = source.withUnsafeBufferPointer { source -> [Int32] in
          let from = source.baseAddress! + 1
          return [
            floats.withUnsafeMutableBufferPointer {
              kernels.pointee.store_f64_to_f32($0.baseAddress! + start, stride, from, n, 2)
            },
            halves.withUnsafeMutableBufferPointer {
              kernels.pointee.store_f64_to_f16($0.baseAddress! + start, stride, from, n, 2)
            },
            words.withUnsafeMutableBufferPointer {
              kernels.pointee.store_f64_to_bf16($0.baseAddress! + start, stride, from, n, 2)
            },
          ]
        }
        #expect(finite == [1, 1, 1])
        for position in 0..<span {
          let (index, gap) = (position - start).quotientAndRemainder(dividingBy: stride)
          let isWritten = gap == 0 && index >= 0 && index < n
          let expected = isWritten ? Float(source[index + 1] * 2) : -9
          let word = isWritten ? UInt16(truncatingIfNeeded: expected.bitPattern >> 16) : 0xFFFF
          #expect(
            floats[position] == expected && halves[position] == Float16(expected) && words[position] == word,
            "\(set), n \(n), stride \(stride), at \(position)")
        }
      }
    }
  }

  @Test(arguments: KernelTables.names, [Double.nan, .infinity, -.infinity, 1e308])
  func reportsWhatIsNotFinite(set: String, poison: Double) {
    let kernels = KernelTables.named(set)
    for n in 1...70 {
      for position in Set([0, n / 2, n - 1]) {
        for stride in [1, 2] {
          var source = [Double](repeating: 1, count: n)
          source[position] = poison
          var floats = [Float](repeating: 0, count: n * stride)
          var halves = [Float16](repeating: 0, count: n * stride)
          var words = [UInt16](repeating: 0, count: n * stride)
          // 1e308 is finite, its product with 4 is not.
          let finite = [
            kernels.pointee.store_f64_to_f32(&floats, stride, source, n, 4),
            kernels.pointee.store_f64_to_f16(&halves, stride, source, n, 4),
            kernels.pointee.store_f64_to_bf16(&words, stride, source, n, 4),
          ]
          #expect(finite == [0, 0, 0], "\(set), n \(n), stride \(stride)")
          let stored = [
            floats[position * stride], Float(halves[position * stride]),
            Float(bitPattern: UInt32(words[position * stride]) << 16),
          ]
          #expect(
            stored.allSatisfy { poison.isNaN ? $0.isNaN : $0 == Float(poison * 4) },
            "\(set), \(poison) became \(stored)")
        }
      }
    }
  }
}
