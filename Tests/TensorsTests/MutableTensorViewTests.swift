import Tensors
import TestSupport
import Testing

@Suite struct MutableTensorViewTests {
  @Test func writesLandWhereTheViewLooks() {
    var tensor = Tensor<Float>.zeros([2, 3, 4])
    tensor.withMutableView { view in
      view[1, 2, 3] = 1
      view.permuted(2, 0, 1)[0, 1, 2] = 2
      view.sliced(axis: 2, 1..<3)[0, 0, 1] = 3
      view.selected(axis: 1, 1)[0, 0] = 4
      #expect(view[1, 2, 3] == 1)
    }
    #expect(tensor[1, 2, 3] == 1 && tensor[1, 2, 0] == 2 && tensor[0, 0, 2] == 3 && tensor[0, 1, 0] == 4)
    #expect(tensor.elements.count { $0 == 0 } == 20)
  }

  @Test(arguments: 0..<100)
  func assignCopiesBetweenAnyStrides(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let source = try randomView(counting(randomShape(rank: 1...4, lengths: 0...5, &generator)), &generator)
    let order = Array(0..<source.rank).shuffled(using: &generator)
    // Axes of the target in another order, and every other index of a memory twice as long.
    var memoryShape = Shape(order.map { source.shape[$0] })
    if source.rank > 0 { memoryShape[source.rank - 1] *= 2 }
    var strides = memoryShape.rowMajorStrides
    if source.rank > 0 { strides[source.rank - 1] = 2 }
    var targetStrides = strides
    for (place, axis) in order.enumerated() { targetStrides[axis] = strides[place] }
    var memory = [Float](repeating: -1, count: memoryShape.reduce(1, *) + 1)
    let written = try memory.withUnsafeMutableBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      let view = MutableTensorView(base: base, shape: source.shape, strides: targetStrides)
      try view.assign(from: source)
      return indices(of: source.shape).map { index in
        base[zip(index, targetStrides).reduce(0) { $0 + $1.0 * $1.1 }]
      }
    }
    #expect(
      written == elementsByIndex(source), "seed \(seed): \(source.shape) \(source.strides) → \(targetStrides)"
    )
    #expect(memory.count { $0 != -1 } == source.count, "seed \(seed): nothing else is written")
  }

  @Test func assignRefusesOtherShapes() {
    var tensor = Tensor<Float>.zeros([2, 3])
    #expect(throws: AttentionError("assign(from:)", "shape [3, 2], expected the view's shape [2, 3]")) {
      try tensor.withMutableView { view throws(AttentionError) in try view.assign(from: counting([3, 2])) }
    }
    #expect(tensor.elements.allSatisfy { $0 == 0 })
  }

  @Test func headsAreWrittenIntoAProjection() throws {
    let heads = counting([2, 3, 5, 4])
    var tokens = Tensor<Float>.zeros([2, 5, 12])
    try tokens.withMutableView { view throws(AttentionError) in try view.splitHeads(3).assign(from: heads) }
    #expect(tokens == (try heads.mergeHeads()))
    #expect(throws: AttentionError.self) {
      try tokens.withMutableView { view throws(AttentionError) in _ = try view.splitHeads(5) }
    }
  }
}
