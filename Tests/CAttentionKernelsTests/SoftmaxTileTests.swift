import CAttentionKernels
import Foundation
import Testing

/// Tiles of scores against the definition in Double, over every length around the vector widths.
@Suite struct SoftmaxTileTests {
  @Test(arguments: KernelTables.names)
  func followsTheDefinitionOverTwoTiles(set: String) {
    let kernels = KernelTables.named(set)
    for columns in Array(1...70) + [127, 128, 129, 500] {
      var generator = SystemIndependentGenerator(state: UInt64(columns))
      let rows = columns % 37 + 1
      let stride = columns + columns % 3
      var state = State(rows: rows)
      var reference = [Reference](repeating: Reference(), count: rows)
      for _ in 0..<2 {
        var scores = (0..<rows * stride).map { _ in Float(Double(generator.next() >> 40) * 0x1p-20 - 8) }
        let begin = (0..<rows).map { _ in Int32(generator.next() % UInt64(columns + 1)) }
        let end = begin.map { max($0, Int32(generator.next() % UInt64(columns + 1))) }
        // A row that sees nothing of the tile may begin past its end, or end before it begins.
        let isPast = (0..<rows).map { $0 % 7 == 3 }
        let givenBegin = zip(begin, isPast).map { $1 ? Int32(columns + 5) : $0 }
        let givenEnd = zip(end, isPast).map { $1 ? Int32(columns) : $0 }
        for row in 0..<rows {
          for column in Int(begin[row])..<Int(end[row]) where generator.next() % 9 == 0 {
            scores[row * stride + column] = -.infinity
          }
          // What a row does not see may be anything.
          for column in 0..<columns where column < begin[row] || column >= end[row] {
            scores[row * stride + column] = column % 2 == 0 ? .nan : .infinity
          }
        }
        let before = scores
        let oldMaximum = state.maximum
        state.run(kernels, &scores, stride: stride, columns: columns, givenBegin, givenEnd)
        for row in 0..<rows {
          let seen = isPast[row] ? 0..<0 : Int(begin[row])..<Int(end[row])
          reference[row].add(seen.map { Double(before[row * stride + $0]) })
          let context = "\(set), \(columns) columns, row \(row) of \(rows), sees \(seen)"
          #expect(Double(state.maximum[row]) == reference[row].maximum, "\(context)")
          #expect(abs(Double(state.sum[row]) - reference[row].sum) <= 1e-5 * reference[row].sum, "\(context)")
          for column in 0..<columns {
            let weight = scores[row * stride + column]
            let score = Double(before[row * stride + column])
            let expected =
              seen.contains(column) && score > -.infinity ? exp(score - reference[row].maximum) : 0
            #expect(abs(Double(weight) - expected) <= 2e-6 * expected, "\(context), column \(column)")
          }
          if state.maximum[row] > -.infinity {
            let factor = exp(Double(oldMaximum[row]) - Double(state.maximum[row]))
            #expect(abs(Double(state.rescale[row]) - factor) <= 1e-6 * factor, "\(context)")
          }
        }
      }
    }
  }

  @Test(arguments: KernelTables.names)
  func aVisibleNaNReachesTheSum(set: String) {
    for position in 0..<40 {
      var scores = [Float](repeating: 1, count: 40)
      scores[position] = .nan
      var state = State(rows: 1)
      state.run(KernelTables.named(set), &scores, stride: 40, columns: 40, [0], [40])
      #expect(state.sum[0].isNaN, "position \(position)")
    }
  }

  /// Where no rule hides, −∞ among what a row sees has overflowed; what it does not see may hold anything.
  @Test(arguments: KernelTables.names)
  func anOverflowReachesTheSumWhereNothingHides(set: String) {
    for columns in 1...40 {
      for position in 0..<columns {
        var scores = (0..<columns + 2).map { Float($0 % 5) - 1e30 }
        (scores[position + 1], scores[0], scores[columns + 1]) = (-.infinity, -.infinity, -.infinity)
        for hides in [false, true] {
          var tile = scores
          var state = State(rows: 1)
          state.run(
            KernelTables.named(set), &tile, stride: columns + 2, columns: columns + 2, [1],
            [Int32(columns + 1)],
            hidesByInfinity: hides)
          #expect(state.sum[0].isNaN == !hides, "\(columns) columns, position \(position), hides \(hides)")
        }
        scores[position + 1] = -Float.greatestFiniteMagnitude
        var state = State(rows: 1)
        state.run(
          KernelTables.named(set), &scores, stride: columns + 2, columns: columns + 2, [1],
          [Int32(columns + 1)],
          hidesByInfinity: false)
        #expect(state.sum[0].isFinite, "\(columns) columns, position \(position)")
      }
    }
  }

  private struct State {
    var maximum: [Float]
    var sum: [Float]
    var rescale: [Float]

    init(rows: Int) {
      maximum = [Float](repeating: -.infinity, count: rows)
      sum = [Float](repeating: 0, count: rows)
      rescale = sum
    }

    mutating func run(
      _ kernels: UnsafePointer<CAttentionKernels>, _ scores: inout [Float], stride: Int, columns: Int,
      _ begin: [Int32], _ end: [Int32], hidesByInfinity: Bool = true
    ) {
      let rows = maximum.count
      scores.withUnsafeMutableBufferPointer { scores in
        maximum.withUnsafeMutableBufferPointer { maximum in
          sum.withUnsafeMutableBufferPointer { sum in
            rescale.withUnsafeMutableBufferPointer { rescale in
              begin.withUnsafeBufferPointer { begin in
                end.withUnsafeBufferPointer { end in
                  var tile = CAttentionKernels_softmax_tile_f32(
                    scores: scores.baseAddress, row_stride: stride, rows: rows, columns: columns,
                    hides_by_infinity: hidesByInfinity ? 1 : 0, begin: begin.baseAddress,
                    end: end.baseAddress, maximum: maximum.baseAddress,
                    sum: sum.baseAddress, rescale: rescale.baseAddress)
                  kernels.pointee.softmax_tile_f32(&tile)
                }
              }
            }
          }
        }
      }
    }
  }

  /// The running state by its definition.
  private struct Reference {
    private var seen: [Double] = []
    var maximum: Double { seen.max() ?? -.infinity }
    var sum: Double { maximum == -.infinity ? 0 : seen.reduce(0) { $0 + exp($1 - maximum) } }

    mutating func add(_ scores: [Double]) { seen += scores }
  }
}
