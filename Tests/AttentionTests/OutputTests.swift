import Attention
import TestSupport
import Testing

/// The forms that write into memory that exists already.
@Suite struct OutputTests {
  private let shape = ProblemShape(
    batch: 2, heads: HeadCounts(query: 3, keyValue: 3), queries: 9, keys: 14, headDimension: 8,
    valueDimension: 5)

  @Test func writesInPlaceInTheLayoutOfTheOutput() throws {
    let (q, k, v) = shape.inputs(Float.self)
    let (attend, keyValues) = (ScaledDotProductAttention(), KeyValues(keys: k, values: v))
    let expected = try attend(q, keyValues)
    var output = Tensor<Float>.zeros([2, 9, 3, 5]).permuted(0, 2, 1, 3)
    let (address, strides) = (output.withUnsafePointer { Int(bitPattern: $0) }, output.strides)
    try output.withMutableView { try attend.write(q, keyValues, to: $0) }
    #expect(output == expected)
    #expect(output.strides == strides && output.withUnsafePointer { Int(bitPattern: $0) } == address)
    // Heads lie side by side: merging them is a view.
    #expect(try output.mergeHeads().withUnsafePointer { Int(bitPattern: $0) } == address)
  }

  @Test func writesAnyStridesInAnyType() throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      let (q, k, v) = shape.inputs(E.self)
      let (expected, sums) = try ScaledDotProductAttention().withLogSumExp(q, KeyValues(keys: k, values: v))
      // Columns outermost, rows backwards; log-sum-exp with queries outermost.
      var buffer = Tensor<E>(repeating: E(nearest: 7), shape: [5, 2, 3, 9])
      var logSumExp = Tensor<E.Accumulator>(repeating: 7, shape: [9, 3, 2])
      try buffer.withMutableView { buffer in
        try logSumExp.withMutableView { logSumExp in
          let (s, l) = (buffer.strides, logSumExp.strides)
          try ScaledDotProductAttention().write(
            q, KeyValues(keys: k, values: v),
            to: MutableTensorView(
              base: buffer.base + 8 * s[3], shape: expected.shape, strides: [s[1], s[2], -s[3], s[0]]),
            logSumExp: MutableTensorView(
              base: logSumExp.base, shape: sums.shape, strides: [l[2], l[1], l[0]]))
        }
      }
      for query in 0..<9 {
        #expect(
          buffer.selected(axis: 3, 8 - query).permuted(1, 2, 0) == expected.selected(axis: 2, query),
          "\(E.self)")
      }
      #expect(logSumExp.permuted(2, 1, 0) == sums, "\(E.self)")
    }
    try check(Float.self)
    try check(Double.self)
    try check(Float16.self)
    try check(BFloat16.self)
  }

  @Test func doesNotChangeTensorsThatShareTheOutputsStorage() throws {
    let (q, k, v) = shape.inputs(Float.self)
    var output = Tensor<Float>(repeating: 3, shape: [2, 3, 9, 5])
    let witness = output
    try output.withMutableView {
      try ScaledDotProductAttention().write(q, KeyValues(keys: k, values: v), to: $0)
    }
    #expect(witness == Tensor<Float>(repeating: 3, shape: [2, 3, 9, 5]))
    #expect(try output == scaledDotProductAttention(queries: q, keys: k, values: v))
  }

  /// A tensor that is an input shares its memory until it is written to: the output goes to a copy.
  @Test func theOutputMayReplaceAnInput() throws {
    var x = Tensor<Float>.normal([1, 2, 6, 4], seed: 9)
    let (queries, keyValues) = (x, KeyValues(keys: x, values: x))
    let expected = try ScaledDotProductAttention()(queries, keyValues)
    try x.withMutableView { try ScaledDotProductAttention().write(queries, keyValues, to: $0) }
    #expect(x == expected && queries != expected)
  }

  @Test func writesThroughAViewAndNowhereElse() throws {
    let (q, k, v) = shape.inputs(Float16.self)
    let (expected, sums) = try ScaledDotProductAttention().withLogSumExp(q, KeyValues(keys: k, values: v))
    var buffer = Tensor<Float16>(repeating: 77, shape: [2, 3, 13, 5])
    var logSumExp = Tensor<Float>.zeros([2, 3, 9])
    try buffer.withMutableView { buffer in
      try logSumExp.withMutableView { logSumExp in
        try ScaledDotProductAttention().write(
          q, KeyValues(keys: k, values: v), to: buffer.sliced(axis: 2, 2..<11), logSumExp: logSumExp)
      }
    }
    #expect(buffer.sliced(axis: 2, 2..<11) == expected)
    #expect(logSumExp == sums)
    #expect(buffer.sliced(axis: 2, 0..<2).elements.allSatisfy { $0 == 77 })
    #expect(buffer.sliced(axis: 2, 11..<13).elements.allSatisfy { $0 == 77 })
  }
}
