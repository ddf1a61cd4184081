import CAttentionKernels
import Testing

/// Loads, stores and masks of single rows, every half-precision pattern included.
@Suite struct RowTests {
  private static let lengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100]

  @Test(arguments: KernelTables.names)
  func loadsEveryHalfExactly(set: String) {
    let kernels = KernelTables.named(set)
    let patterns = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: patterns.count)
    var doubles = [Double](repeating: 0, count: patterns.count)
    kernels.pointee.load_f32_from_f16(&floats, patterns, 1, patterns.count, 1)
    kernels.pointee.load_f64_from_f16(&doubles, patterns, 1, patterns.count, 1)
    for (index, pattern) in patterns.enumerated() {
      let exact = Float(Float16(bitPattern: pattern))
      #expect(floats[index] == exact || (floats[index].isNaN && exact.isNaN), "f16 pattern \(pattern)")
      #expect(
        doubles[index] == Double(exact) || (doubles[index].isNaN && exact.isNaN), "f16 pattern \(pattern)")
    }
    kernels.pointee.load_f32_from_bf16(&floats, patterns, 1, patterns.count, 1)
    for (index, pattern) in patterns.enumerated() {
      let exact = Float(bitPattern: UInt32(pattern) << 16)
      #expect(floats[index] == exact || (floats[index].isNaN && exact.isNaN), "bf16 pattern \(pattern)")
    }
  }

  @Test(arguments: KernelTables.names)
  func storesRoundToNearestEven(set: String) {
    let kernels = KernelTables.named(set)
    var generator = SystemIndependentGenerator(state: 3)
    var source: [Float] = [
      0, -0.0, 65504, 65519.99, 65520, -65536, 5.9604645e-8, 2.9802322e-8, 2.9802326e-8, 6.1e-5,
    ]
    // Ties of both formats, and anything else.
    source += (0..<50_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) }
    source += (0..<20_000).map { _ in
      Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()) & 0xFFFF_F000 | 0x1000)
    }
    source += (0..<20_000).map { _ in
      Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()) & 0xFFFF_0000 | 0x8000)
    }
    source += (0..<20_000).map { _ in Float(Double(generator.next() >> 40) * 0x1p-38) }
    var halves = [Float16](repeating: 0, count: source.count)
    var words = [UInt16](repeating: 0, count: source.count)
    _ = kernels.pointee.store_f32_to_f16(&halves, 1, source, source.count, 1)
    _ = kernels.pointee.store_f32_to_bf16(&words, 1, source, source.count, 1)
    for (index, x) in source.enumerated() {
      let expected = Float16(x)
      #expect(
        halves[index] == expected || (halves[index].isNaN && x.isNaN), "\(x) as f16 is \(halves[index])")
      let back = Float(bitPattern: UInt32(words[index]) << 16)
      if x.isNaN {
        #expect(back.isNaN)
      } else {
        #expect(isNearestEvenBFloat16(words[index], to: x), "\(x) as bf16 is \(back)")
      }
    }
  }

  /// No neighbour is nearer, and a tie went to the even pattern. Infinity counts as the next step of the format.
  private func isNearestEvenBFloat16(_ word: UInt16, to x: Float) -> Bool {
    func value(_ pattern: UInt16) -> Double {
      pattern & 0x7FFF == 0x7F80
        ? (pattern & 0x8000 == 0 ? 0x1p128 : -0x1p128) : Double(Float(bitPattern: UInt32(pattern) << 16))
    }
    if x.isInfinite { return Float(bitPattern: UInt32(word) << 16) == x }
    let error = abs(value(word) - Double(x))
    let neighbours = [word &+ 1, word &- 1].filter { $0 & 0x7FFF <= 0x7F80 && ($0 ^ word) & 0x8000 == 0 }
    return neighbours.allSatisfy {
      error < abs(value($0) - Double(x)) || (error == abs(value($0) - Double(x)) && word & 1 == 0)
    }
  }

  @Test(arguments: KernelTables.names)
  func stridesAndFactorsAreHonoured(set: String) {
    let kernels = KernelTables.named(set)
    for n in Self.lengths {
      for stride in [1, 3, -2] {
        let span = n * abs(stride) + 1
        let source = (0..<span).map { Float($0) - 7 }
        let start = stride < 0 ? span - 1 : 0
        var loaded = [Float](repeating: 99, count: n + 1)
        var stored = [Float](repeating: 99, count: span)
        source.withUnsafeBufferPointer { source in
          kernels.pointee.load_f32_from_f32(&loaded, source.baseAddress! + start, stride, n, 0.5)
        }
        let row = loaded
        let finite = stored.withUnsafeMutableBufferPointer { stored in
          kernels.pointee.store_f32_to_f32(stored.baseAddress! + start, stride, row, n, 2)
        }
        #expect(finite == 1 && loaded[n] == 99)
        for index in 0..<n {
          #expect(loaded[index] == source[start + index * stride] * 0.5, "n \(n) stride \(stride)")
          #expect(stored[start + index * stride] == source[start + index * stride], "n \(n) stride \(stride)")
        }
        let written = Set((0..<n).map { start + $0 * stride })
        #expect((0..<span).allSatisfy { written.contains($0) || stored[$0] == 99 }, "n \(n) stride \(stride)")
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func halvesAreStoredAtAnyStride(set: String) {
    let kernels = KernelTables.named(set)
    for n in Self.lengths {
      for stride in [1, 2, 5] {
        let source = (0..<max(1, n)).map { Float($0) * 0.25 }
        var halves = [Float16](repeating: -9, count: n * stride + 1)
        var words = [UInt16](repeating: 0xFFFF, count: n * stride + 1)
        #expect(kernels.pointee.store_f32_to_f16(&halves, stride, source, n, 2) == 1)
        #expect(kernels.pointee.store_f32_to_bf16(&words, stride, source, n, 2) == 1)
        for position in halves.indices {
          let (index, isGap) = (position / stride, position % stride != 0 || position / stride >= n)
          #expect(
            halves[position] == (isGap ? -9 : Float16(index) / 2), "n \(n) stride \(stride) at \(position)")
          let word = isGap ? 0xFFFF : UInt16(truncatingIfNeeded: (Float(index) / 2).bitPattern >> 16)
          #expect(words[position] == word, "n \(n) stride \(stride) at \(position)")
        }
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func transposesAnySize(set: String) {
    let kernels = KernelTables.named(set)
    for rows in [0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 33, 40] {
      for columns in [1, 3, 8, 12, 16, 17, 40, 47] {
        let (stride, targetStride) = (columns + 3, rows + 2)
        let source = (0..<max(1, rows * stride)).map(Float.init)
        var target = [Float](repeating: -1, count: columns * targetStride)
        kernels.pointee.transpose_f32(&target, targetStride, source, stride, rows, columns)
        let wide = source.map(Double.init)
        var wideTarget = [Double](repeating: -1, count: columns * targetStride)
        kernels.pointee.transpose_f64(&wideTarget, targetStride, wide, stride, rows, columns)
        for column in 0..<columns {
          for row in 0..<targetStride {
            let expected = row < rows ? source[row * stride + column] : -1
            let position = column * targetStride + row
            #expect(
              target[position] == expected && wideTarget[position] == Double(expected), "\(rows)×\(columns)")
          }
        }
      }
    }
  }

  @Test(arguments: KernelTables.names, [Float.nan, .infinity, -.infinity])
  func storesReportWhatIsNotFinite(set: String, poison: Float) {
    let kernels = KernelTables.named(set)
    for n in Self.lengths where n > 0 {
      for position in Set([0, n / 2, n - 1]) {
        var source = [Float](repeating: 1, count: n)
        source[position] = poison
        var target = source
        var half = [UInt16](repeating: 0, count: n)
        #expect(kernels.pointee.store_f32_to_f32(&target, 1, source, n, 0.5) == 0)
        #expect(kernels.pointee.store_f32_to_f16(&half, 1, source, n, 0.5) == 0)
        #expect(kernels.pointee.store_f32_to_bf16(&half, 1, source, n, 0.5) == 0)
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func masksHideWhateverTheScore(set: String) {
    let kernels = KernelTables.named(set)
    for n in Self.lengths {
      let scores: [Float] = (0..<n).map { [.nan, .infinity, Float($0), -1][$0 % 4] }
      let visible: [UInt8] = (0..<2 * n).map { $0 % 3 == 0 ? 0 : 1 }
      for stride in [0, 1, 2] where n > 0 {
        var hidden = scores
        kernels.pointee.hide_f32(&hidden, visible, stride, n)
        for index in 0..<n {
          if visible[index * stride] == 0 {
            #expect(hidden[index] == -.infinity)
          } else {
            #expect(hidden[index] == scores[index] || scores[index].isNaN)
          }
        }
      }
      let bias: [Float] = (0..<n).map { $0 % 3 == 0 ? -.infinity : 0.5 }
      var biased = scores
      kernels.pointee.add_bias_f32(&biased, bias, n)
      for index in 0..<n {
        if bias[index] == -.infinity {
          #expect(biased[index] == -.infinity)
        } else {
          #expect(biased[index] == scores[index] + 0.5 || (scores[index].isNaN && biased[index].isNaN))
        }
      }
    }
  }
}
