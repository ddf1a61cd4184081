import CAttentionKernels
import Testing

/// The rotation kernels against single products and sums, at every length around the vectors of each set.
@Suite struct RotaryTests {
  private static let pairCounts = Array(0...35) + [63, 64, 65, 127, 128, 129, 130, 257]

  /// Rows with gaps, from one place to another with other gaps.
  private struct Rows {
    let pairs: Int
    let columns: Int
    let columnStride: Int
    let rows = 3
    var rowLength: Int { columns * columnStride + 5 }
    var count: Int { rows * rowLength }
    func position(_ row: Int, _ column: Int) -> Int { row * rowLength + column * columnStride }
  }

  private func pair(_ index: Int, of pairs: Int, interleaved: Bool) -> (Int, Int) {
    interleaved ? (2 * index, 2 * index + 1) : (index, index + pairs)
  }

  @Test(arguments: KernelTables.names, [false, true])
  func rotatesFloatsOfAnyLength(set: String, interleaved: Bool) {
    let kernels = KernelTables.named(set)
    var generator = SystemIndependentGenerator(state: 7)
    for pairs in Self.pairCounts {
      for (sourceStride, targetStride) in [(1, 1), (2, 1), (1, 3), (3, 2)] {
        let from = Rows(pairs: pairs, columns: 2 * pairs + 3, columnStride: sourceStride)
        let to = Rows(pairs: pairs, columns: 2 * pairs + 3, columnStride: targetStride)
        let source = (0..<from.count).map { _ in Float.random(in: -1...1, using: &generator) }
        // Rows of the two tables lie apart differently.
        let cosines = (0..<from.rows * (pairs + 2)).map { _ in Float.random(in: -1...1, using: &generator) }
        let sines = (0..<from.rows * (pairs + 1)).map { _ in Float.random(in: -1...1, using: &generator) }
        var target = [Float](repeating: 99, count: to.count)
        var expected = target
        for row in 0..<from.rows {
          for column in 0..<from.columns {
            expected[to.position(row, column)] = source[from.position(row, column)]
          }
          for index in 0..<pairs {
            let (a, b) = pair(index, of: pairs, interleaved: interleaved)
            let (x, y) = (source[from.position(row, a)], source[from.position(row, b)])
            let (c, s) = (cosines[row * (pairs + 2) + index], sines[row * (pairs + 1) + index])
            expected[to.position(row, a)] = x * c - y * s
            expected[to.position(row, b)] = y * c + x * s
          }
        }
        var rotation = CAttentionKernels_rotation()
        rotation.source_row_stride = 4 * from.rowLength
        rotation.target_row_stride = 4 * to.rowLength
        rotation.source_column_stride = sourceStride
        rotation.target_column_stride = targetStride
        (rotation.rows, rotation.columns, rotation.pairs) = (from.rows, from.columns, pairs)
        (rotation.cosine_row_stride, rotation.sine_row_stride) = (pairs + 2, pairs + 1)
        rotation.interleaved = interleaved ? 1 : 0
        source.withUnsafeBytes { source in
          target.withUnsafeMutableBytes { target in
            cosines.withUnsafeBytes { cosines in
              sines.withUnsafeBytes { sines in
                (rotation.source, rotation.target) = (source.baseAddress, target.baseAddress)
                (rotation.cosines, rotation.sines) = (cosines.baseAddress, sines.baseAddress)
                kernels.pointee.rotate_f32(&rotation)
              }
            }
          }
        }
        #expect(target == expected, "\(pairs) pairs, strides \(sourceStride) and \(targetStride)")
      }
    }
  }

  @Test(arguments: KernelTables.names, [false, true])
  func rotatesDoublesInPlace(set: String, interleaved: Bool) {
    let kernels = KernelTables.named(set)
    var generator = SystemIndependentGenerator(state: 8)
    for pairs in Self.pairCounts {
      // Two rows by one row of the tables, and a guard.
      let length = 2 * pairs + 1
      let source = (0..<2 * length + 1).map { _ in Double.random(in: -1...1, using: &generator) }
      let cosines = (0..<pairs + 1).map { _ in Double.random(in: -1...1, using: &generator) }
      let sines = (0..<pairs + 1).map { _ in Double.random(in: -1...1, using: &generator) }
      var expected = source
      for row in 0..<2 {
        for index in 0..<pairs {
          let (a, b) = pair(index, of: pairs, interleaved: interleaved)
          let (x, y) = (source[row * length + a], source[row * length + b])
          expected[row * length + a] = x * cosines[index] - y * sines[index]
          expected[row * length + b] = y * cosines[index] + x * sines[index]
        }
      }
      var values = source
      var rotation = CAttentionKernels_rotation()
      (rotation.source_row_stride, rotation.target_row_stride) = (8 * length, 8 * length)
      (rotation.source_column_stride, rotation.target_column_stride) = (1, 1)
      (rotation.rows, rotation.columns, rotation.pairs) = (2, length, pairs)
      rotation.interleaved = interleaved ? 1 : 0
      values.withUnsafeMutableBytes { values in
        cosines.withUnsafeBytes { cosines in
          sines.withUnsafeBytes { sines in
            (rotation.source, rotation.target) = (UnsafeRawPointer(values.baseAddress), values.baseAddress)
            (rotation.cosines, rotation.sines) = (cosines.baseAddress, sines.baseAddress)
            kernels.pointee.rotate_f64(&rotation)
          }
        }
      }
      #expect(values == expected, "\(pairs) pairs")
    }
  }

  @Test(arguments: KernelTables.names, [false, true])
  func halvesAreRoundedOnce(set: String, interleaved: Bool) {
    let kernels = KernelTables.named(set)
    var generator = SystemIndependentGenerator(state: 9)
    for pairs in Self.pairCounts {
      let source = (0..<2 * pairs + 1).map { _ in Float16(Float.random(in: -8...8, using: &generator)) }
      let cosines = (0..<pairs + 1).map { _ in Float.random(in: -1...1, using: &generator) }
      let sines = (0..<pairs + 1).map { _ in Float.random(in: -1...1, using: &generator) }
      var expected = source
      // As bfloat16: the upper half of a Float, which the test only needs where nothing is rounded.
      let words = (0..<2 * pairs + 1).map { _ in
        UInt16(truncatingIfNeeded: Float(Int.random(in: -99...99, using: &generator)).bitPattern >> 16)
      }
      var expectedWords = words
      for index in 0..<pairs {
        let (a, b) = pair(index, of: pairs, interleaved: interleaved)
        let (x, y) = (Float(source[a]), Float(source[b]))
        expected[a] = Float16(x * cosines[index] - y * sines[index])
        expected[b] = Float16(y * cosines[index] + x * sines[index])
        // A quarter turn.
        expectedWords[a] = words[b] == 0 ? 0 : words[b] ^ 0x8000
        expectedWords[b] = words[a]
      }
      var (values, halves) = (source, words)
      let (zeros, ones) = ([Float](repeating: 0, count: pairs + 1), [Float](repeating: 1, count: pairs + 1))
      var rotation = CAttentionKernels_rotation()
      (rotation.source_column_stride, rotation.target_column_stride) = (1, 1)
      (rotation.rows, rotation.columns, rotation.pairs) = (1, 2 * pairs + 1, pairs)
      rotation.interleaved = interleaved ? 1 : 0
      values.withUnsafeMutableBytes { values in
        cosines.withUnsafeBytes { cosines in
          sines.withUnsafeBytes { sines in
            (rotation.source, rotation.target) = (UnsafeRawPointer(values.baseAddress), values.baseAddress)
            (rotation.cosines, rotation.sines) = (cosines.baseAddress, sines.baseAddress)
            kernels.pointee.rotate_f16(&rotation)
          }
        }
      }
      halves.withUnsafeMutableBytes { halves in
        zeros.withUnsafeBytes { zeros in
          ones.withUnsafeBytes { ones in
            (rotation.source, rotation.target) = (UnsafeRawPointer(halves.baseAddress), halves.baseAddress)
            (rotation.cosines, rotation.sines) = (zeros.baseAddress, ones.baseAddress)
            kernels.pointee.rotate_bf16(&rotation)
          }
        }
      }
      #expect(values == expected, "\(pairs) pairs")
      let asFloats = { (words: [UInt16]) in words.map { Float(bitPattern: UInt32($0) << 16) } }
      #expect(asFloats(halves) == asFloats(expectedWords), "\(pairs) pairs")
    }
  }
}
