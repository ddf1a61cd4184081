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
        (rotation.heads, rotation.rows, rotation.rows_per_turn) = (1, from.rows, 2)
        (rotation.columns, rotation.pairs) = (from.columns, pairs)
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
      // A row of two heads, by one row of the tables, and a guard.
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
      (rotation.source_head_stride, rotation.target_head_stride) = (8 * length, 8 * length)
      (rotation.source_column_stride, rotation.target_column_stride) = (1, 1)
      (rotation.heads, rotation.rows, rotation.rows_per_turn) = (2, 1, 1)
      (rotation.columns, rotation.pairs) = (length, pairs)
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
      (rotation.heads, rotation.rows, rotation.rows_per_turn) = (1, 1, 1)
      (rotation.columns, rotation.pairs) = (2 * pairs + 1, pairs)
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

  /// Each row of each head once, whatever the turns; all by the row's own table row, forwards and backwards.
  @Test(arguments: KernelTables.names, [1, 2, 3, 5, 9])
  func headsTakeTurns(set: String, rowsPerTurn: Int) {
    let (heads, rows, pairs) = (3, 7, 20)
    let width = 2 * pairs
    let source = (0..<heads * rows * width).map { Float($0 % 61) - 30 }
    let cosines = (0..<rows * pairs).map { Float($0 % 17) - 8 }
    let sines = (0..<rows * pairs).map { Float($0 % 13) - 6 }
    for isTokenMajor in [false, true] {
      for step in [1, 0, -1] {
        let (headStride, rowStride) = isTokenMajor ? (width, heads * width) : (rows * width, width)
        var expected = source
        for head in 0..<heads {
          for row in 0..<rows {
            for index in 0..<pairs {
              let a = head * headStride + row * rowStride + index
              let tableRow = step == 0 ? 2 : step == 1 ? row : rows - 1 - row
              let (c, s) = (cosines[tableRow * pairs + index], sines[tableRow * pairs + index])
              // Small integers: exact.
              expected[a] = source[a] * c - source[a + pairs] * s
              expected[a + pairs] = source[a + pairs] * c + source[a] * s
            }
          }
        }
        var rotation = CAttentionKernels_rotation()
        (rotation.heads, rotation.rows, rotation.rows_per_turn) = (heads, rows, rowsPerTurn)
        (rotation.columns, rotation.pairs) = (width, pairs)
        (rotation.source_head_stride, rotation.target_head_stride) = (4 * headStride, 4 * headStride)
        (rotation.source_row_stride, rotation.target_row_stride) = (4 * rowStride, 4 * rowStride)
        (rotation.source_column_stride, rotation.target_column_stride) = (1, 1)
        (rotation.cosine_row_stride, rotation.sine_row_stride) = (step * pairs, step * pairs)
        var values = source
        let tableRow = step == 0 ? 2 : step == 1 ? 0 : rows - 1
        values.withUnsafeMutableBytes { values in
          cosines.withUnsafeBufferPointer { cosines in
            sines.withUnsafeBufferPointer { sines in
              (rotation.source, rotation.target) = (UnsafeRawPointer(values.baseAddress), values.baseAddress)
              rotation.cosines = UnsafeRawPointer(cosines.baseAddress! + tableRow * pairs)
              rotation.sines = UnsafeRawPointer(sines.baseAddress! + tableRow * pairs)
              kernels(set).pointee.rotate_f32(&rotation)
            }
          }
        }
        #expect(values == expected, "token-major \(isTokenMajor), step \(step)")
      }
    }
  }

  /// Every half-precision word through a turn by nothing, and Floats of every kind as they are rounded on their way out.
  @Test(arguments: KernelTables.names)
  func halvesOfEveryKind(set: String) {
    let patterns = (0...UInt16.max).map { $0 }
    // Pairs (word, 0), which a rotation by nothing leaves as they are.
    let source = patterns.flatMap { [$0, UInt16(0)] }
    var generator = SystemIndependentGenerator(state: 10)
    // Rotated by any table, (1, 0) becomes it, rounded: infinities, NaN, subnormal numbers and ties too.
    let table = (0..<1 << 16).map { index in
      let bits = UInt32(truncatingIfNeeded: generator.next())
      return Float(bitPattern: index.isMultiple(of: 3) ? bits & 0xFFFF_8000 | 0x8000 : bits)
    }
    let ones = [Float](repeating: 1, count: table.count)
    let zeros = [Float](repeating: 0, count: table.count)
    func rotate(_ words: [UInt16], _ cosines: [Float], _ sines: [Float], isBrain: Bool) -> [UInt16] {
      var words = words
      var rotation = CAttentionKernels_rotation()
      (rotation.heads, rotation.rows, rotation.rows_per_turn) = (1, 1, 1)
      (rotation.columns, rotation.pairs, rotation.interleaved) = (words.count, words.count / 2, 1)
      (rotation.source_column_stride, rotation.target_column_stride) = (1, 1)
      words.withUnsafeMutableBytes { words in
        cosines.withUnsafeBytes { cosines in
          sines.withUnsafeBytes { sines in
            (rotation.source, rotation.target) = (UnsafeRawPointer(words.baseAddress), words.baseAddress)
            (rotation.cosines, rotation.sines) = (cosines.baseAddress, sines.baseAddress)
            let table = kernels(set).pointee
            isBrain ? table.rotate_bf16(&rotation) : table.rotate_f16(&rotation)
          }
        }
      }
      return words
    }
    for isBrain in [false, true] {
      let value: (UInt16) -> Float = { word in
        isBrain ? Float(bitPattern: UInt32(word) << 16) : Float(Float16(bitPattern: word))
      }
      let same = rotate(source, ones, zeros, isBrain: isBrain)
      for pattern in patterns {
        let (before, after) = (value(pattern), value(same[2 * Int(pattern)]))
        #expect(before == after || (before.isNaN && after.isNaN), "word \(pattern), bfloat16 \(isBrain)")
      }
      let one: UInt16 = isBrain ? 0x3F80 : 0x3C00
      let rounded = rotate(table.flatMap { _ -> [UInt16] in [one, 0] }, table, zeros, isBrain: isBrain)
      // What the stores of rows give, which have tests of their own.
      var expected = [UInt16](repeating: 0, count: table.count)
      let kernels = KernelTables.named("scalar").pointee
      if isBrain {
        _ = kernels.store_f32_to_bf16(&expected, 1, table, table.count, 1)
      } else {
        _ = kernels.store_f32_to_f16(&expected, 1, table, table.count, 1)
      }
      for index in table.indices {
        let (actual, exact) = (value(rounded[2 * index]), value(expected[index]))
        #expect(
          actual == exact || (actual.isNaN && exact.isNaN),
          "\(table[index]) became \(actual), bfloat16 \(isBrain)")
      }
    }
  }

  private func kernels(_ set: String) -> UnsafePointer<CAttentionKernels> { KernelTables.named(set) }
}
