import Attention
import Testing

/// What does not fit is refused by name, and nothing is written.
@Suite struct RotaryErrorTests {
  @Test func dimensions() {
    for dimension in [0, -4, Int.min] {
      expectRefusal(of: "headDimension", "\(dimension)") {
        _ = try RotaryEmbedding(headDimension: dimension, positions: 4)
      }
    }
    // Wider than the rows that attention takes: frequencies alone could be more than there is memory for.
    for dimension in [(1 << 21) + 1, (1 << 21) + 2, 1 << 32, 1 << 33, 1 << 62, Int.max] {
      expectRefusal(of: "headDimension", "\(dimension)", "\(1 << 21)") {
        _ = try RotaryEmbedding(headDimension: dimension, positions: 1)
      }
      expectRefusal(of: "headDimension", "\(dimension)") {
        _ = try RotaryEmbedding(
          headDimension: dimension, positions: 1, pairs: RotaryEmbedding.Pairs(rotaryDimension: 2))
      }
      let table = Tensor<Float>.zeros([10, 4])
      expectRefusal(of: "headDimension", "\(dimension)", "\(1 << 21)") {
        _ = try RotaryEmbedding(cosines: table, sines: table, headDimension: dimension)
      }
    }
    #expect(throws: Never.self) { try RotaryEmbedding(headDimension: 1 << 21, positions: 1) }
    for dimension in [7, 1, 0, -2, 10, Int.max, Int.min] {
      expectRefusal(of: "rotaryDimension", "\(dimension)", "8") {
        _ = try RotaryEmbedding(
          headDimension: 8, positions: 4, pairs: RotaryEmbedding.Pairs(rotaryDimension: dimension))
      }
    }
    expectRefusal(of: "rotaryDimension", "7") { _ = try RotaryEmbedding(headDimension: 7, positions: 4) }
  }

  @Test func positionCountsAndBases() {
    for positions in [0, -1, Int.min, Int.max, 1 << 40] {
      expectRefusal(of: "positions", "\(positions)") {
        _ = try RotaryEmbedding(headDimension: 64, positions: positions)
      }
    }
    for base in [0, -10_000, 0.5, .nan, .infinity, -.infinity] as [Double] {
      expectRefusal(of: "base", "\(base)") {
        _ = try RotaryEmbedding(headDimension: 8, positions: 4, base: base)
      }
    }
  }

  @Test func scalings() {
    var bad: [RotaryScaling] = []
    for factor in [0, -2, .nan, .infinity] as [Double] {
      bad += [
        .linear(factor: factor), .dynamicNTK(factor: factor, trainedLength: 8, currentLength: 16),
        .yarn(factor: factor, trainedLength: 8), .llama3(factor: factor),
        .yarn(factor: 2, trainedLength: 8, betaFast: factor),
        .yarn(factor: 2, trainedLength: 8, betaSlow: factor),
        .yarn(factor: 2, trainedLength: 8, attentionFactor: factor),
        .llama3(factor: 2, lowFrequencyFactor: factor), .llama3(factor: 2, highFrequencyFactor: factor),
      ]
    }
    for length in [0, -1, Int.min] {
      bad += [
        .dynamicNTK(factor: 2, trainedLength: length, currentLength: 16),
        .dynamicNTK(factor: 2, trainedLength: 8, currentLength: length),
        .yarn(factor: 2, trainedLength: length), .llama3(factor: 2, trainedLength: length),
      ]
    }
    bad += [
      .yarn(factor: 2, trainedLength: 8, betaFast: 1, betaSlow: 1),
      .yarn(factor: 2, trainedLength: 8, betaFast: 1, betaSlow: 32),
      .yarn(factor: 2, trainedLength: 8, attentionFactor: 1e300),
      .llama3(factor: 2, lowFrequencyFactor: 4, highFrequencyFactor: 4),
      .llama3(factor: 2, lowFrequencyFactor: 4, highFrequencyFactor: 1),
      // Frequencies or angles beyond Float64.
      .linear(factor: .leastNonzeroMagnitude), .linear(factor: 1e-308),
    ]
    for scaling in bad {
      expectRefusal(of: "scaling") {
        _ = try RotaryEmbedding(headDimension: 8, positions: 100, scaling: scaling)
      }
    }
    expectRefusal(of: "base", "YaRN") {
      _ = try RotaryEmbedding(
        headDimension: 8, positions: 4, base: 1, scaling: .yarn(factor: 2, trainedLength: 8))
    }
    // Absurd, but with an answer.
    let most = RotaryScaling.dynamicNTK(factor: 1e300, trainedLength: 1, currentLength: .max)
    #expect(throws: Never.self) { try RotaryEmbedding(headDimension: 8, positions: 4, scaling: most) }
  }

  @Test func givenTables() throws {
    let table = Tensor<Float>.zeros([10, 4])
    for shape: Shape in [[4], [], [1, 2, 3, 4], [10, 0], [2, 3, 0]] {
      expectRefusal(of: "cosines", "\(shape)") {
        _ = try RotaryEmbedding(cosines: Tensor<Float>.zeros(shape), sines: Tensor<Float>.zeros(shape))
      }
    }
    for shape: Shape in [[10, 3], [9, 4], [40], [2, 5, 4]] {
      expectRefusal(of: "sines", "\(shape)", "[10, 4]") {
        _ = try RotaryEmbedding(cosines: table, sines: Tensor<Float>.zeros(shape))
      }
    }
    expectRefusal(of: "cosines", "8", "6") {
      _ = try RotaryEmbedding(cosines: table, sines: table, headDimension: 6)
    }
    for shape: Shape in [
      [1 << 40, 4], [1 << 31, 1 << 31], [1, 1 << 40], [1 << 30, 1 << 30, 1], [1, (1 << 20) + 1],
    ] {
      let giant = try Tensor<Float>.zeros([1, 1]).broadcast(to: shape)
      expectRefusal(of: "cosines", "\(shape)") { _ = try RotaryEmbedding(cosines: giant, sines: giant) }
    }
  }

  @Test func tensors() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 10)
    let anyWidth = try RotaryEmbedding(cosines: rotary.cosines, sines: rotary.sines)
    for shape: Shape in [[8], [2, 8], [1, 2, 8], [1, 1, 1, 2, 8], [1, 2, 3, 6], [1, 2, 3, 16]] {
      expectRefusal(of: "tensor", "\(shape)") { _ = try rotary.applied(to: Tensor<Float>.zeros(shape)) }
      var tensor = Tensor<Float>(repeating: 1, shape: shape)
      expectRefusal(of: "tensor", "\(shape)") { try rotary.apply(to: &tensor) }
      #expect(tensor == Tensor<Float>(repeating: 1, shape: shape))
    }
    expectRefusal(of: "tensor", "6", "8") { _ = try anyWidth.applied(to: Tensor<Float>.zeros([1, 2, 3, 6])) }
    #expect(throws: Never.self) { try anyWidth.applied(to: Tensor<Float>.zeros([1, 2, 3, 9])) }

    let giant = try Tensor<Float>.zeros([1, 1, 1, 8]).broadcast(to: [1 << 26, 1 << 26, 2, 8])
    expectRefusal(of: "tensor", "memory") { _ = try rotary.applied(to: giant) }
    var copy = giant
    expectRefusal(of: "tensor", "memory") { try rotary.apply(to: &copy) }
    // Four bytes an element are more than an Int counts.
    let larger = try Tensor<Float>.zeros([1, 1, 1, 8]).broadcast(to: [1 << 29, 1 << 29, 2, 8])
    expectRefusal(of: "tensor", "memory") { _ = try rotary.applied(to: larger) }
  }

  @Test func targets() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 10)
    let source = Tensor<Float>(repeating: 1, shape: [1, 2, 3, 8])
    var memory = Tensor<Float>.zeros([1, 2, 3, 8])
    memory.withMutableView { view in
      let overlapping = MutableTensorView(base: view.base, shape: source.shape, strides: [48, 24, 4, 1])
      let other = MutableTensorView(base: view.base, shape: [1, 3, 2, 8])
      let negative = MutableTensorView(base: view.base, shape: [1, -2, 3, 8], strides: [48, 24, 8, 1])
      expectRefusal(of: "target", "[48, 24, 4, 1]") { try rotary.apply(to: source, into: overlapping) }
      expectRefusal(of: "view", "[48, 24, 4, 1]") { try rotary.apply(to: overlapping) }
      expectRefusal(of: "target", "[1, 3, 2, 8]", "[1, 2, 3, 8]") {
        try rotary.apply(to: source, into: other)
      }
      expectRefusal(of: "tensor", "-2") { try rotary.apply(to: negative) }
    }
    #expect(memory == Tensor<Float>.zeros([1, 2, 3, 8]))
  }

  @Test func positions() throws {
    let rotary = try RotaryEmbedding(headDimension: 8, positions: 10)
    let perToken = try RotaryEmbedding(
      cosines: Tensor<Float>.zeros([2, 3, 4]), sines: Tensor<Float>.zeros([2, 3, 4]))
    let sizes: Shape = [2, 1, 3, 8]
    func ids(_ values: [Int64], _ shape: Shape) throws -> RotaryPositions {
      .ids(try Tensor(values, shape: shape))
    }
    let bad: [(RotaryEmbedding, RotaryPositions)] = [
      (rotary, .from(-1)), (rotary, .from(8)), (rotary, .from(.max)), (rotary, .from(.min)),
      (rotary, .offsets([])), (rotary, .offsets([1])), (rotary, .offsets([1, 2, 3])),
      (rotary, .offsets([0, 8])), (rotary, .offsets([-1, 0])), (rotary, .offsets([0, .max])),
      (rotary, try ids([0, 1, 2, 3, 4, 10], [2, 3])), (rotary, try ids([0, 1, -1, 3, 4, 9], [2, 3])),
      (rotary, try ids([0, 1, .max], [3])), (rotary, try ids([.min, 1, 2], [3])),
      (rotary, try ids([0, 1, 2, 3, 4, 5], [3, 2])), (rotary, try ids([0, 1, 2, 3, 4, 5], [6])),
      (rotary, try ids([0, 1], [2])), (rotary, try ids([0, 1], [2, 1])), (rotary, try ids([0], [])),
      (rotary, try ids([0, 1, 2, 3, 4, 5], [1, 2, 3])), (rotary, .rowPerToken), (perToken, .from(0)),
      (perToken, try ids([0, 1, 2], [3])),
    ]
    for (rotary, positions) in bad {
      var tensor = Tensor<Float>(repeating: 1, shape: sizes)
      expectRefusal(of: "positions") { try rotary.apply(to: &tensor, positions: positions) }
      expectRefusal(of: "positions") { _ = try rotary.applied(to: tensor, positions: positions) }
      #expect(tensor == Tensor<Float>(repeating: 1, shape: sizes))
    }
    // As many tokens, but others.
    let swapped = Tensor<Float>.zeros([3, 1, 2, 8])
    expectRefusal(of: "positions", "[3, 2]", "[2, 3]") {
      _ = try perToken.applied(to: swapped, positions: .rowPerToken)
    }
    // The last ones that fit.
    let tensor = Tensor<Float>.zeros(sizes)
    #expect(throws: Never.self) { try rotary.applied(to: tensor, positions: .from(7)) }
    #expect(throws: Never.self) { try rotary.applied(to: tensor, positions: .offsets([7, 0])) }
    #expect(throws: Never.self) { try rotary.applied(to: tensor, positions: try ids([9, 0, 9], [3])) }
  }
}
