import Attention
import TestSupport
import Testing

/// Which table row turns which token.
@Suite struct RotaryPositionsTests {
  private let source = Tensor<Float>.normal([2, 3, 6, 8], seed: 11)

  private func check(
    _ positions: RotaryPositions, _ expected: [[Int]], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 64, pairs: .interleaved)
    let oracle = RotaryOracle(.interleaved, 8) { b, t in expected[b][t] }
    for tensor in [source, source.permuted(0, 2, 1, 3).contiguousCopy().permuted(0, 2, 1, 3)] {
      oracle.expect(
        try rotary.applied(to: tensor, positions: positions), isTurned: tensor,
        "\(expected) \(tensor.strides)",
        sourceLocation: sourceLocation)
    }
  }

  @Test func countFromOneOrManyOffsets() throws {
    let from5 = Array(5..<11)
    try check(.from(5), [from5, from5])
    try check(.from(58), [Array(58..<64), Array(58..<64)])
    try check(.offsets([58, 5]), [Array(58..<64), from5])
  }

  @Test func followIdsInAnyOrder() throws {
    // Runs of steps 1, 0, −1 and 2, of every length, and no order at all.
    let lists = [
      [0, 1, 2, 3, 4, 5], [63, 62, 61, 60, 59, 58], [7, 7, 7, 7, 7, 7], [0, 0, 0, 1, 2, 3],
      [1, 2, 0, 1, 0, 9],
      [5, 63, 0, 17, 16, 18], [0, 2, 4, 6, 8, 9], [3, 2, 2, 40, 41, 42], [3, 2, 5, 6, 7, 8],
      [4, 4, 6, 7, 8, 8],
    ]
    for (index, list) in lists.enumerated() {
      let other = lists[(index + 3) % lists.count]
      let ids = try Tensor<Int64>((list + other).map(Int64.init), shape: [2, 6])
      try check(.ids(ids), [list, other])
      // The same read backwards along a column-major layout.
      let transposed = ids.transposed().contiguousCopy().transposed()
      try check(.ids(transposed), [list, other])
      let one = try Tensor<Int64>(list.map(Int64.init), shape: [6])
      try check(.ids(one), [list, list])
      try check(.ids(one.expanded(axis: 0)), [list, list])
    }
  }

  @Test func tablesCanHaveARowPerToken() throws {
    let positions = [[9, 3, 3, 0, 31, 1], [0, 1, 2, 63, 5, 4]]
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 64)
    func rows(_ table: Tensor<Float>) throws -> Tensor<Float> {
      try Tensor(
        positions.joined().flatMap { table.selected(axis: 0, $0).elements }, shape: [2, 6, 4])
    }
    let perToken = try RotaryEmbedding(cosines: rows(rotary.cosines), sines: rows(rotary.sines))
    let ids = try Tensor<Int64>(positions.joined().map(Int64.init), shape: [2, 6])
    #expect(
      try perToken.applied(to: source, positions: .rowPerToken)
        == rotary.applied(to: source, positions: .ids(ids)))
  }

  @Test func tablesOfAnyTypeAndStridesAreTaken() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 64)
    func check<E: AttentionElement, T: AttentionElement>(_: E.Type, tables: T.Type) throws {
      let (cosines, sines) = (rotary.cosines.converted(to: T.self), rotary.sines.converted(to: T.self))
      let source = source.converted(to: E.self)
      let expected = try RotaryEmbedding(cosines: cosines, sines: sines).applied(to: source)
      // Side by side in one tensor of rows, and with columns apart.
      let joined = try Tensor<T>.concatenate([cosines, sines], axis: 1)
      let slices = try RotaryEmbedding(
        cosines: joined.sliced(axis: 1, 0..<4), sines: joined.sliced(axis: 1, 4..<8))
      let columns = try RotaryEmbedding(
        cosines: cosines.transposed().contiguousCopy().transposed(),
        sines: sines.transposed().contiguousCopy().transposed())
      #expect(try slices.applied(to: source) == expected, "\(E.self) \(T.self)")
      #expect(try columns.applied(to: source) == expected, "\(E.self) \(T.self)")
      // The definition, by the rounded tables.
      for t in 0..<6 {
        for i in 0..<4 {
          let (x, y) = (source[1, 2, t, i].doubleValue, source[1, 2, t, i + 4].doubleValue)
          let exact = x * cosines[t, i].doubleValue - y * sines[t, i].doubleValue
          // Table, products and sum in Float, or the one rounding to a half type.
          let unit = E.self == BFloat16.self ? 0x1p-8 : E.self == Float16.self ? 0x1p-11 : 0x1p-23
          #expect(abs(expected[1, 2, t, i].doubleValue - exact) <= 2 * unit * (abs(x) + abs(y)))
        }
      }
    }
    try check(Float.self, tables: Float.self)
    try check(Float.self, tables: Double.self)
    try check(Float.self, tables: Float16.self)
    try check(Double.self, tables: Float.self)
    try check(Double.self, tables: Double.self)
    try check(Float16.self, tables: Float16.self)
    try check(BFloat16.self, tables: BFloat16.self)
  }

  @Test func doubleTablesAreNotRoundedToFloat() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 64)
    let table = Tensor<Double>.normal([64, 4], seed: 1)
    let given = try RotaryEmbedding(cosines: table, sines: table)
    let one = Tensor<Double>(repeating: 1, shape: [1, 1, 64, 8])
    let result = try given.applied(to: one)
    #expect(try result.sliced(axis: 3, 4..<8).reshaped(to: [64, 4]) == table + table)
    // Computed ones neither: 10⁻¹⁰ is far below Float's step.
    let turned = try rotary.applied(to: one)
    RotaryOracle(.halves, 8) { _, t in t }.expect(turned, isTurned: one, "Double")
  }

  @Test func theFirstDoubleTensorsMayComeTogether() async throws {
    let rotary = try RotaryEmbedding(headDimension: 64, positions: 3000)
    let source = Tensor<Double>.normal([1, 2, 3000, 64], seed: 5)
    let expected = try RotaryEmbedding(headDimension: 64, positions: 3000).applied(to: source, on: Pools.one)
    try await withThrowingTaskGroup(of: Tensor<Double>.self) { group in
      for _ in 0..<6 {
        group.addTask { try rotary.applied(to: source, on: Pools.three) }
      }
      for try await result in group { #expect(result == expected) }
    }
  }
}
