import AttentionReference
import Tensors
import Testing

/// One head, one query of 1, a scale of 1: each score is the key itself. Two value columns.
private func oracle(keys: [Double], values: [[Double]]) throws -> AttentionOracle<Double> {
  AttentionOracle(
    queries: Tensor(repeating: 1, shape: [1, 1, 1, 1]),
    keys: try Tensor(keys, shape: [1, 1, keys.count, 1]),
    values: try Tensor(values.flatMap { $0 }, shape: [1, 1, keys.count, 2]), rules: ScoreRules(scale: 1))
}

@Suite struct AttentionOracleEdgeTests {
  @Test func rowThatSeesNoKeyIsZero() throws {
    var oracle = try oracle(keys: [1, 2], values: [[.nan, 1], [2, .infinity]])
    oracle.rules.isVisible = { _, _, _, _ in false }
    for sinks in [nil, [0.0]] {
      oracle.rules.sinks = sinks
      let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
      #expect(output == [0, 0])
      #expect(logSumExp == -.infinity)
      #expect(oracle.weights(sequence: 0, head: 0, query: 0) == [0, 0])
    }
  }

  @Test func noKeysAtAllIsZero() throws {
    let (output, logSumExp) = try oracle(keys: [], values: []).all()
    #expect(output.elements == [0, 0])
    #expect(logSumExp.elements == [-.infinity])
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity]) func hiddenKeysAndValuesAreNeverRead(
    garbage: Double
  ) throws {
    var oracle = try oracle(keys: [0, garbage, 0], values: [[1, 2], [garbage, garbage], [3, 4]])
    oracle.rules.isVisible = { _, _, _, key in key != 1 }
    #expect(oracle.row(sequence: 0, head: 0, query: 0).output == [2, 3])
    oracle.rules.isVisible = nil
    oracle.rules.bias = { _, _, _, key in key == 1 ? -.infinity : 0 }
    #expect(oracle.row(sequence: 0, head: 0, query: 0).output == [2, 3])
  }

  @Test func oneInfiniteScoreTakesAllWeight() throws {
    let oracle = try oracle(keys: [700, .infinity, -.infinity], values: [[1, 2], [3, 4], [5, 6]])
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(output == [3, 4])
    #expect(logSumExp == .infinity)
  }

  @Test func severalInfiniteScoresAreUndefined() throws {
    let oracle = try oracle(keys: [.infinity, .infinity], values: [[1, 2], [3, 4]])
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(output.allSatisfy { $0.isNaN })
    #expect(logSumExp.isNaN)
  }

  @Test func scoresOfMinusInfinityAloneAreAnEmptyRow() throws {
    let oracle = try oracle(keys: [-.infinity, -.infinity], values: [[1, 2], [3, .nan]])
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(output == [0, 0])
    #expect(logSumExp == -.infinity)
  }

  @Test func visibleNaNReachesWhatDependsOnIt() throws {
    // In a key: the whole row. In a value: its column. In a query: its row and no other.
    let inKey = try oracle(keys: [0, .nan], values: [[1, 2], [3, 4]]).row(sequence: 0, head: 0, query: 0)
    #expect(inKey.output.allSatisfy { $0.isNaN } && inKey.logSumExp.isNaN)
    let inValue = try oracle(keys: [0, 0], values: [[1, .nan], [3, 4]]).row(sequence: 0, head: 0, query: 0)
    #expect(inValue.output[0] == 2 && inValue.output[1].isNaN && inValue.logSumExp.isFinite)
    let queries = try Tensor([1, .nan], shape: [1, 1, 2, 1])
    let ones = Tensor<Double>(repeating: 1, shape: [1, 1, 3, 1])
    let (output, logSumExp) = AttentionOracle(queries: queries, keys: ones, values: ones).all()
    #expect(output[0, 0, 0, 0] == 1 && output[0, 0, 1, 0].isNaN && logSumExp[0, 0, 1].isNaN)
  }

  @Test func biasOfNaNIsNotHidden() throws {
    var oracle = try oracle(keys: [0, 0], values: [[1, 2], [3, 4]])
    oracle.rules.bias = { _, _, _, key in key == 1 ? .nan : 0 }
    #expect(oracle.row(sequence: 0, head: 0, query: 0).output.allSatisfy { $0.isNaN })
  }

  @Test(arguments: [0.0, 1, -3e300, 1e4]) func zeroValuesGiveZeroOutputWhateverTheScores(score: Double) throws
  {
    let oracle = try oracle(keys: [score, 0, -score], values: [[0, 0], [0, 0], [0, 0]])
    #expect(oracle.row(sequence: 0, head: 0, query: 0).output == [0, 0])
  }

  @Test(arguments: [[0, 1, 2, 3], [1, 0, 2, 3], [1, 1, 0, 3]] as [[Int]])
  func emptyAxesGiveEmptyOutputs(lengths: [Int]) {
    let (B, H, T, D) = (lengths[0], lengths[1], lengths[2], lengths[3])
    let tensor = Tensor<Float>.zeros([B, H, T, D])
    let (output, logSumExp) = AttentionOracle(queries: tensor, keys: tensor, values: tensor).all()
    #expect(output.shape == [B, H, T, D] && logSumExp.shape == [B, H, T])
    #expect(naiveAttention(queries: tensor, keys: tensor, values: tensor).isEmpty)
  }
}
