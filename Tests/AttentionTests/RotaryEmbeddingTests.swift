import Attention
import CAttentionKernels
import TestSupport
import Testing

/// What the embedding computes, in every layout, type and instruction set.
@Suite struct RotaryEmbeddingTests {
  /// The instruction sets of this CPU, lowest first.
  static var sets: [String] {
    var names: [String] = []
    while let name = CAttentionKernels_name(Int32(names.count)) { names.append(String(cString: name)) }
    return names
  }

  /// Head and rotary dimensions: one pair, whole vectors of each set, their neighbours, parts of rows, more than a buffer.
  private static let widths = [
    (2, 2), (5, 2), (6, 6), (16, 16), (18, 14), (34, 34), (64, 32), (80, 62), (128, 128), (301, 300),
    (600, 600),
  ]

  /// In place and to another place, which must give the same bits, as must all sets.
  private func check<E: AttentionElement>(
    _: E.Type, _ set: String, _ layout: RotaryEmbedding.Layout
  ) throws {
    for (width, turned) in Self.widths {
      let context = "\(E.self) \(set) \(layout) D \(width) R \(turned)"
      let rotary = try RotaryEmbedding(
        headDimension: width, positions: 40, pairs: RotaryEmbedding.Pairs(layout, rotaryDimension: turned))
      let source = Tensor<E>.normal([2, 3, 5, width], seed: UInt64(width))
      var result = Tensor<E>(repeating: E(nearest: 9), shape: source.shape)
      try result.withMutableView { view throws(AttentionError) in
        try rotary.apply(to: source, positions: .from(7), on: Pools.one, into: view, set: set)
      }
      RotaryOracle(layout, turned) { _, t in 7 + t }.expect(result, isTurned: source, context)
      var inPlace = source.contiguousCopy()
      var scalar = inPlace.contiguousCopy()
      try inPlace.withMutableView { view throws(AttentionError) in
        try rotary.apply(to: view, positions: .from(7), on: Pools.one, set: set)
      }
      try scalar.withMutableView { view throws(AttentionError) in
        try rotary.apply(to: view, positions: .from(7), on: Pools.one, set: "scalar")
      }
      #expect(inPlace == result, "in place, \(context)")
      #expect(scalar == result, "the scalar set's bits, \(context)")
    }
  }

  @Test(arguments: sets, RotaryEmbedding.Layout.allCases)
  func matchesTheDefinition(set: String, layout: RotaryEmbedding.Layout) throws {
    try check(Float.self, set, layout)
    try check(Double.self, set, layout)
    try check(Float16.self, set, layout)
    try check(BFloat16.self, set, layout)
  }

  @Test(arguments: RotaryEmbedding.Layout.allCases)
  func publicFormsAgree(layout: RotaryEmbedding.Layout) throws {
    let rotary = try RotaryEmbedding(
      headDimension: 24, positions: 30, pairs: RotaryEmbedding.Pairs(layout, rotaryDimension: 20))
    let source = Tensor<Float>.normal([2, 3, 9, 24], seed: 1)
    let result = try rotary.applied(to: source, positions: .from(20))
    RotaryOracle(layout, 20) { _, t in 20 + t }.expect(result, isTurned: source, "\(layout)")

    var inPlace = source.contiguousCopy()
    let address = inPlace.withUnsafePointer { Int(bitPattern: $0) }
    try rotary.apply(to: &inPlace, positions: .from(20))
    #expect(inPlace == result && inPlace.withUnsafePointer { Int(bitPattern: $0) } == address)

    var elsewhere = Tensor<Float>.zeros([2, 9, 3, 24]).permuted(0, 2, 1, 3)
    try elsewhere.withMutableView { view throws(AttentionError) in
      try rotary.apply(to: source, positions: .from(20), into: view)
    }
    #expect(elsewhere == result && elsewhere.strides == [648, 24, 72, 1])

    // The default: positions from 0.
    let fromZero = try rotary.applied(to: source)
    RotaryOracle(layout, 20) { _, t in t }.expect(fromZero, isTurned: source, "\(layout) from 0")
  }

  /// What rotary embedding is for: products of queries and keys depend on the distance of their positions alone.
  @Test(arguments: RotaryEmbedding.Layout.allCases)
  func productsDependOnDistanceAlone(layout: RotaryEmbedding.Layout) throws {
    let rotary = try RotaryEmbedding(headDimension: 32, positions: 1000, pairs: RotaryEmbedding.Pairs(layout))
    let query = Tensor<Double>.normal([1, 1, 1, 32], seed: 2)
    let key = Tensor<Double>.normal([1, 1, 1, 32], seed: 3)
    func product(_ queryPosition: Int, _ keyPosition: Int) throws -> Double {
      let q = try rotary.applied(to: query, positions: .from(queryPosition))
      let k = try rotary.applied(to: key, positions: .from(keyPosition))
      return zip(q.elements, k.elements).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let near = try product(5, 2)
    // 32 products of about 1, angles up to 990 in units of 2⁻⁵³.
    #expect(abs(try product(990, 987) - near) < 32 * 1000 * 16 * 0x1p-53)
    #expect(abs(try product(990, 986) - near) > 1e-3)
  }

  @Test(arguments: sets, RotaryEmbedding.Layout.allCases)
  func whatIsNotFiniteStaysInItsPair(set: String, layout: RotaryEmbedding.Layout) throws {
    let oracle = RotaryOracle(layout, 38) { _, t in t }
    let rotary = try RotaryEmbedding(
      headDimension: 40, positions: 3, pairs: RotaryEmbedding.Pairs(layout, rotaryDimension: 38))
    let clean = Tensor<Float>.normal([1, 1, 3, 40], seed: 4)
    let expected = try rotary.applied(to: clean)
    for pair in 0..<19 {
      let (first, second) = oracle.columns(pair)
      var poisoned = clean.contiguousCopy()
      poisoned[0, 0, 1, pair.isMultiple(of: 2) ? first : second] = pair.isMultiple(of: 3) ? .infinity : .nan
      try poisoned.withMutableView { view throws(AttentionError) in
        try rotary.apply(to: view, positions: .from(0), on: Pools.one, set: set)
      }
      for token in 0..<3 {
        for column in 0..<40 {
          let isHit = token == 1 && (column == first || column == second)
          let value = poisoned[0, 0, token, column]
          #expect(
            isHit ? !value.isFinite : value == expected[0, 0, token, column],
            "pair \(pair), token \(token), column \(column): \(value)")
        }
      }
    }
  }

  @Test func emptyTensorsAreLeftAlone() throws {
    let rotary = try RotaryEmbedding(headDimension: 4, positions: 2)
    for shape: Shape in [[0, 2, 2, 4], [2, 0, 2, 4], [2, 2, 0, 4]] {
      #expect(try rotary.applied(to: Tensor<Float>.zeros(shape)).shape == shape)
    }
    // No token, so a position just past the table is none.
    #expect(try rotary.applied(to: Tensor<Float>.zeros([1, 1, 0, 4]), positions: .from(2)).isEmpty)
  }

  @Test(arguments: RotaryEmbedding.Layout.allCases)
  func anyNumberOfThreadsGivesTheSameBits(layout: RotaryEmbedding.Layout) throws {
    let rotary = try RotaryEmbedding(
      headDimension: 66, positions: 900, pairs: RotaryEmbedding.Pairs(layout, rotaryDimension: 62))
    // 3 MB, so that several threads work; head after head and token after token.
    let headMajor = Tensor<Float>.normal([2, 7, 800, 66], seed: 5)
    let tokenMajor = Tensor<Float>.normal([2, 800, 7, 66], seed: 5).permuted(0, 2, 1, 3)
    for source in [headMajor, tokenMajor] {
      let expected = try rotary.applied(to: source, positions: .offsets([3, 100]), on: Pools.one)
      for pool in [Pools.two, Pools.three, Pools.seven] {
        let result = try rotary.applied(to: source, positions: .offsets([3, 100]), on: pool)
        #expect(result == expected, "\(pool.threadCount) threads, strides \(source.strides)")
      }
      let oracle = RotaryOracle(layout, 62) { b, t in [3, 100][b] + t }
      let part = { (tensor: Tensor<Float>) in tensor.sliced(axis: 2, 0..<800, by: 53) }
      RotaryOracle(layout, 62) { b, t in oracle.position(b, 53 * t) }
        .expect(part(expected), isTurned: part(source), "every 53rd token")
    }
  }
}
