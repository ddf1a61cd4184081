import Attention
import Testing

/// Views of every kind are turned where they lie, and nothing beside them changes.
@Suite struct RotaryStridesTests {
  private func check<E: AttentionElement>(_: E.Type, _ layout: RotaryEmbedding.Layout) throws {
    let rotary = try RotaryEmbedding(
      headDimension: 10, positions: 20, pairs: RotaryEmbedding.Pairs(layout, rotaryDimension: 6))
    // Columns outermost, tokens backwards; then columns two apart; then a slice of every axis.
    let buffer = Tensor<E>.normal([12, 2, 3, 9], seed: 21)
    let s = buffer.strides
    let views: [(name: String, start: Int, shape: Shape, strides: Strides)] = [
      ("columns outermost", 8 * s[3], [2, 3, 9, 10], [s[1], s[2], -s[3], s[0]]),
      ("columns backwards", 11 * s[0], [2, 3, 9, 10], [s[1], s[2], s[3], -s[0]]),
      ("columns two apart", 1, [1, 6, 5, 10], [1, 108, 20, 2]),
      ("a slice", 40, [3, 2, 4, 10], [160, 60, 13, 1]),
      ("heads backwards", 400, [1, 5, 4, 10], [7, -50, 11, 1]),
    ]
    for view in views {
      var turned = buffer.contiguousCopy()
      let expected: Tensor<E> = try turned.withMutableView { all in
        let window = MutableTensorView(base: all.base + view.start, shape: view.shape, strides: view.strides)
        let before = Tensor<E>(unsafeUninitializedShape: view.shape) { elements in
          var next = 0
          forEachIndex(view.shape) { index in
            elements[next] = window[index[0], index[1], index[2], index[3]]
            next += 1
          }
        }
        try rotary.apply(to: window, positions: .from(2))
        return try rotary.applied(to: before, positions: .from(2))
      }
      // Everything as it was, but what the view shows.
      var all = buffer.contiguousCopy()
      all.withMutableView { all in
        let window = MutableTensorView(base: all.base + view.start, shape: view.shape, strides: view.strides)
        forEachIndex(view.shape) { index in
          window[index[0], index[1], index[2], index[3]] = expected[index[0], index[1], index[2], index[3]]
        }
      }
      #expect(turned == all, "\(E.self) \(layout) \(view.name)")
    }
  }

  private func forEachIndex(_ shape: Shape, _ body: ([Int]) -> Void) {
    for b in 0..<shape[0] {
      for h in 0..<shape[1] {
        for t in 0..<shape[2] {
          for d in 0..<shape[3] { body([b, h, t, d]) }
        }
      }
    }
  }

  @Test(arguments: RotaryEmbedding.Layout.allCases)
  func anyStridesInAnyType(layout: RotaryEmbedding.Layout) throws {
    try check(Float.self, layout)
    try check(Double.self, layout)
    try check(Float16.self, layout)
    try check(BFloat16.self, layout)
  }

  @Test func queriesAndKeysOfAFusedProjection() throws {
    let rotary = try RotaryEmbedding(headDimension: 16, positions: 50)
    // [B, T, (4 query + 2 key + 2 value heads) · 16]
    let projection = Tensor<Float>.normal([2, 7, 128], seed: 22)
    var turned = projection.contiguousCopy()
    try turned.withMutableView { view in
      try rotary.apply(to: view.sliced(axis: 2, 0..<96).splitHeads(6), positions: .offsets([40, 1]))
    }
    let heads = try projection.splitHeads(8)
    let oracle = RotaryOracle(.halves, 16) { b, t in [40, 1][b] + t }
    let result = try turned.splitHeads(8)
    oracle.expect(
      result.sliced(axis: 1, 0..<6), isTurned: heads.sliced(axis: 1, 0..<6), "queries and keys")
    #expect(result.sliced(axis: 1, 6..<8) == heads.sliced(axis: 1, 6..<8))
  }

  @Test func keepsItsStridesAndOthersTheirValues() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 50)
    var tensor = Tensor<Float>.normal([2, 5, 3, 8], seed: 23).permuted(0, 2, 1, 3)
    let witness = tensor.contiguousCopy()
    let (address, strides) = (tensor.withUnsafePointer { Int(bitPattern: $0) }, tensor.strides)
    try rotary.apply(to: &tensor)
    #expect(tensor.strides == strides && tensor.withUnsafePointer { Int(bitPattern: $0) } == address)
    RotaryOracle(.halves, 8) { _, t in t }.expect(tensor, isTurned: witness, "in place")

    // Shared storage: whoever else has it sees nothing.
    var shared = witness
    try rotary.apply(to: &shared)
    #expect(shared == tensor && witness != tensor)
  }

  @Test func broadcastTensorsGetPlacesOfTheirOwn() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 50)
    let one = Tensor<Float>.normal([1, 1, 1, 8], seed: 24)
    var tensor = try one.broadcast(to: [2, 3, 4, 8])
    try rotary.apply(to: &tensor)
    RotaryOracle(.halves, 8) { _, t in t }
      .expect(tensor, isTurned: try one.broadcast(to: [2, 3, 4, 8]), "broadcast")
    #expect(tensor.isContiguous)
  }
}
