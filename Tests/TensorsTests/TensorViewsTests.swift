import Tensors
import TestSupport
import Testing

@Suite struct TensorViewsTests {
  @Test(arguments: 0..<200)
  func viewsShareStorageAndReadByTheirStrides(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let tensor = counting(randomShape(rank: 0...4, lengths: 0...4, &generator))
    let view = try randomView(tensor, &generator)
    let expected = elementsByIndex(view)
    #expect(view.elements == expected, "seed \(seed): \(tensor.shape) → \(view.shape) \(view.strides)")
    #expect(view.contiguousCopy().elements == expected, "seed \(seed)")
    #expect(expected.count == view.count && view.isEmpty == expected.isEmpty, "seed \(seed)")
    var rows: [Float] = []
    view.forEachRow { row, count, stride in for index in 0..<count { rows.append(row[index * stride]) } }
    #expect(rows == expected, "seed \(seed)")
    let bounds = tensor.address..<tensor.address + UInt(max(tensor.count, 1) * 4)
    #expect(view.isEmpty || bounds.contains(view.address), "seed \(seed): a view must not copy")
  }

  @Test func permutedMovesAxes() {
    let tensor = counting([2, 3, 4])
    let view = tensor.permuted(2, 0, 1)
    #expect(view.shape == [4, 2, 3] && view.strides == [1, 12, 4])
    for index in indices(of: view.shape) {
      #expect(view[index[0], index[1], index[2]] == tensor[index[1], index[2], index[0]], "\(index)")
    }
    #expect(tensor.transposed() == tensor.permuted(0, 2, 1))
  }

  @Test func slicesTakeEveryStep() {
    let tensor = counting([10])
    #expect(tensor.sliced(axis: 0, 2..<9, by: 3).elements == [2, 5, 8])
    #expect(tensor.sliced(axis: 0, 2..<8, by: 3).elements == [2, 5])
    #expect(tensor.sliced(axis: 0, 0..<10, by: .max).elements == [0])
    #expect(tensor.sliced(axis: 0, 10..<10).isEmpty && tensor.sliced(axis: 0, 4..<4, by: 2).isEmpty)
    #expect(tensor.sliced(axis: 0, 1..<9).sliced(axis: 0, 1..<8, by: 2).elements == [2, 4, 6, 8])
  }

  @Test func selectedAndExpandedAreInverse() {
    let tensor = counting([2, 3, 4])
    #expect(tensor.selected(axis: 1, 2).elements == [8, 9, 10, 11, 20, 21, 22, 23])
    for axis in 0...3 {
      let expanded = tensor.expanded(axis: axis)
      #expect(expanded.shape[axis] == 1 && expanded.isContiguous, "axis \(axis)")
      #expect(expanded.strides == expanded.shape.rowMajorStrides, "axis \(axis)")
      #expect(expanded.selected(axis: axis, 0) == tensor, "axis \(axis)")
    }
  }

  @Test func broadcastRepeats() throws {
    #expect(try counting([2, 1]).broadcast(to: [2, 2, 3]).elements == [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    #expect(try counting([]).broadcast(to: [2, 0]).isEmpty)
    #expect(try counting([1]).broadcast(to: [0]).isEmpty)
    for target in [[3], [2, 4], [2], [3, 3], [1 << 62, 2, 3], [-1, 2, 3]] as [Shape] {
      #expect(throws: AttentionError("broadcast(to:)", "shape [2, 3] does not broadcast to \(target)")) {
        try counting([2, 3]).broadcast(to: target)
      }
    }
  }
}

@Suite struct ReshapeTests {
  /// A base tensor, a target shape, and whether NumPy's `reshape` gives a view of it.
  struct Expectation: Sendable, CustomTestStringConvertible {
    let name: String
    let tensor: Tensor<Float>
    let target: Shape
    let shares: Bool
    var testDescription: String { "\(name) → \(target)" }
  }

  static let expectations: [Expectation] = {
    let cube = counting([2, 3, 4])
    let matrix = counting([4, 6])
    let repeated = counting([3])
    let table: [(String, Tensor<Float>, views: [Shape], copies: [Shape])] = [
      ("dense", cube, [[6, 4], [24], [2, 12], [4, 3, 2], [1, 24, 1], [2, 1, 3, 1, 4]], []),
      (
        "permuted(0, 2, 1)", cube.permuted(0, 2, 1), [[2, 2, 2, 3], [2, 4, 3, 1], [2, 1, 4, 3]],
        [[8, 3], [2, 12]]
      ),
      ("permuted(1, 0, 2)", cube.permuted(1, 0, 2), [[3, 2, 2, 2]], [[3, 8], [6, 4]]),
      ("transposed", matrix.transposed(), [[6, 2, 2], [2, 3, 4]], [[24], [12, 2]]),
      ("columns", matrix.sliced(axis: 1, 0..<3), [[2, 2, 3], [4, 3, 1]], [[12], [2, 6]]),
      ("rows", matrix.sliced(axis: 0, 1..<3), [[12], [3, 4]], []),
      ("every other row", matrix.sliced(axis: 0, 0..<4, by: 2), [[2, 2, 3]], [[12], [4, 3]]),
      ("every other column", matrix.sliced(axis: 1, 0..<6, by: 2), [[12], [2, 6], [2, 2, 3]], []),
      ("one row of each", cube.selected(axis: 1, 1), [[2, 2, 2]], [[8]]),
      ("last of each", cube.selected(axis: 2, 2), [[6], [3, 2]], []),
      ("repeated rows", try! repeated.broadcast(to: [2, 3]), [[1, 2, 3], [2, 3, 1]], [[6], [3, 2]]),
      ("repeated number", try! counting([]).broadcast(to: [4, 6]), [[24], [2, 12]], []),
      ("repeated columns", try! counting([4, 1]).broadcast(to: [4, 3]), [[2, 2, 3]], [[12], [2, 6]]),
    ]
    return table.flatMap { name, tensor, views, copies in
      views.map { Expectation(name: name, tensor: tensor, target: $0, shares: true) }
        + copies.map { Expectation(name: name, tensor: tensor, target: $0, shares: false) }
    }
  }()

  @Test(arguments: expectations)
  func isAViewWhereverNumPyHasOne(_ expectation: Expectation) throws {
    let tensor = expectation.tensor
    let reshaped = try tensor.reshaped(to: expectation.target)
    #expect(reshaped.shape == expectation.target)
    #expect(reshaped.elements == elementsByIndex(tensor))
    #expect((reshaped.address == tensor.address) == expectation.shares)
  }

  @Test(arguments: 0..<300)
  func equalsTheReshapeOfACopy(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let base = counting(randomShape(rank: 1...4, lengths: 1...6, &generator))
    let view = try randomView(base, &generator)
    // Factors of the count in random order, with an axis of length 1 now and then.
    var rest = view.count
    var factors: [Int] = []
    while rest > 1 && factors.count < 6 {
      let divisors = (2...rest).filter { rest % $0 == 0 }
      let factor = divisors[Int.random(in: 0..<divisors.count, using: &generator)]
      factors.append(factor)
      rest /= factor
    }
    factors.append(rest)
    if Bool.random(using: &generator) { factors.append(1) }
    let target = Shape(factors.shuffled(using: &generator))
    let reshaped = try view.reshaped(to: target)
    #expect(
      reshaped.elements == elementsByIndex(view),
      "seed \(seed): \(view.shape) \(view.strides) → \(target) \(reshaped.strides)")
    #expect(reshaped == (try view.contiguousCopy().reshaped(to: target)), "seed \(seed)")
  }

  @Test func axesOfLengthOneGetDenseStrides() throws {
    #expect(try counting([6]).reshaped(to: [1, 6, 1]).strides == [6, 1, 1])
    #expect(try counting([6]).reshaped(to: [2, 1, 3, 1]).strides == [3, 3, 1, 1])
    #expect(try counting([]).reshaped(to: [1, 1]).strides == [1, 1])
  }

  @Test func emptyTensorsReshapeToEmptyShapes() throws {
    #expect(try counting([0, 3]).reshaped(to: [7, 0]).shape == [7, 0])
    #expect(try counting([0]).reshaped(to: [0, 0, 2]).elements.isEmpty)
    #expect(throws: AttentionError("reshaped(to:)", "shape [] has 1 elements, shape [0] has 0")) {
      try counting([0]).reshaped(to: [])
    }
  }

  @Test func countsThatDifferAreRefused() {
    #expect(throws: AttentionError("reshaped(to:)", "shape [4] has 4 elements, shape [2, 3] has 6")) {
      try counting([2, 3]).reshaped(to: [4])
    }
    #expect(
      throws: AttentionError(
        "reshaped(to:)", "shape [-6] has a negative or too large number of elements, shape [2, 3] has 6")
    ) { try counting([2, 3]).reshaped(to: [-6]) }
  }
}

@Suite struct HeadsTests {
  @Test func splitAndMergeAreInverseAndShareStorage() throws {
    let tokens = counting([2, 5, 12])
    let heads = try tokens.splitHeads(3)
    #expect(heads.shape == [2, 3, 5, 4] && heads.address == tokens.address)
    for index in indices(of: heads.shape) {
      let (b, h, t, d) = (index[0], index[1], index[2], index[3])
      #expect(heads[b, h, t, d] == tokens[b, t, h * 4 + d], "\(index)")
    }
    let merged = try heads.mergeHeads()
    #expect(merged == tokens && merged.address == tokens.address)
  }

  @Test func headsOfTheirOwnAreCopiedTogether() throws {
    let heads = counting([2, 3, 5, 4])
    let merged = try heads.mergeHeads()
    #expect(merged.address != heads.address && merged.shape == [2, 5, 12])
    #expect(try merged.splitHeads(3) == heads)
  }

  @Test func emptyTensorsSplitAndMerge() throws {
    #expect(try counting([0, 5, 12]).splitHeads(3).shape == [0, 3, 5, 4])
    #expect(try counting([2, 5, 0]).splitHeads(3).mergeHeads().shape == [2, 5, 0])
    #expect(try counting([2, 0, 5, 4]).mergeHeads().shape == [2, 5, 0])
  }

  @Test func shapesThatDoNotFitAreRefused() {
    #expect(
      throws: AttentionError(
        "splitHeads(_:)", "shape [2, 5, 12] does not split into 5 heads; expected [B, T, H·D]")
    ) { try counting([2, 5, 12]).splitHeads(5) }
    #expect(throws: AttentionError.self) { try counting([2, 5, 12]).splitHeads(0) }
    #expect(throws: AttentionError.self) { try counting([5, 12]).splitHeads(3) }
    #expect(throws: AttentionError("mergeHeads()", "shape [2, 3], expected [B, H, T, D]")) {
      try counting([2, 3]).mergeHeads()
    }
  }
}
