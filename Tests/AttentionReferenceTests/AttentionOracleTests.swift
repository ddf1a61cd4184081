import AttentionReference
import Foundation
import Tensors
import TestSupport
import Testing

/// One head with one-dimensional keys and values: a query of 1 and a scale of 1 make each score the key itself.
private func oracle(keys: [Double], values: [Double]) throws -> AttentionOracle<Double> {
  AttentionOracle(
    queries: Tensor(repeating: 1, shape: [1, 1, 1, 1]),
    keys: try Tensor(keys, shape: [1, 1, keys.count, 1]),
    values: try Tensor(values, shape: [1, 1, values.count, 1]), rules: ScoreRules(scale: 1))
}

private func isNear(_ a: Double, _ b: Double) -> Bool { Tolerance(absolute: 1e-14).accepts(a, expected: b) }

@Suite struct AttentionOracleTests {
  @Test func weightsAreInProportionToExponentials() throws {
    let oracle = try oracle(keys: [0, log(3)], values: [10, 20])
    let weights = oracle.weights(sequence: 0, head: 0, query: 0)
    #expect(isNear(weights[0], 0.25) && isNear(weights[1], 0.75))
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(isNear(output[0], 17.5))
    #expect(isNear(logSumExp, log(4)))
  }

  @Test func scaleDefaultsToTheInverseRootOfTheWidth() throws {
    // q · k = 4 over a width of 4: the score is 2.
    let oracle = AttentionOracle<Float>(
      queries: Tensor(repeating: 1, shape: [1, 1, 1, 4]), keys: Tensor(repeating: 1, shape: [1, 1, 1, 4]),
      values: Tensor(repeating: 5, shape: [1, 1, 1, 1]))
    #expect(oracle.row(sequence: 0, head: 0, query: 0).logSumExp == 2)
  }

  @Test func softcapActsBeforeTheBias() throws {
    var oracle = try oracle(keys: [3], values: [1])
    oracle.rules.softcap = 2
    oracle.rules.bias = { _, _, _, _ in 0.5 }
    #expect(isNear(oracle.row(sequence: 0, head: 0, query: 0).logSumExp, 2 * tanh(1.5) + 0.5))
  }

  @Test func sinkTakesWeightAndNoPartInLogSumExp() throws {
    var oracle = try oracle(keys: [0, 0], values: [3, 9])
    oracle.rules.sinks = [log(2)]
    #expect(oracle.weights(sequence: 0, head: 0, query: 0).allSatisfy { isNear($0, 0.25) })
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(isNear(output[0], 3))
    #expect(isNear(logSumExp, log(2)))
  }

  @Test func sinkFarAboveTheScoresTakesAllWeight() throws {
    var oracle = try oracle(keys: [0, 0], values: [3, 9])
    oracle.rules.sinks = [5000]
    let (output, logSumExp) = oracle.row(sequence: 0, head: 0, query: 0)
    #expect(output == [0])
    #expect(isNear(logSumExp, log(2)))
  }

  @Test(arguments: [1e4, 1e300, -1e300]) func hugeScoresDoNotOverflow(score: Double) throws {
    let (output, logSumExp) = try oracle(keys: [score, score], values: [2, 4]).row(
      sequence: 0, head: 0, query: 0)
    #expect(output == [3])
    #expect(isNear(logSumExp - score, score.magnitude == 1e4 ? log(2) : 0) || logSumExp == score + log(2))
  }

  @Test func sharedKeyHeadsServeNeighbouringQueryHeads() throws {
    // One key a head: the output is that head's value, so it says which head was read.
    let oracle = AttentionOracle<Float>(
      queries: Tensor<Float>.normal([1, 6, 1, 2], seed: 1),
      keys: Tensor<Float>.normal([1, 2, 1, 2], seed: 2),
      values: try Tensor([100, 200], shape: [1, 2, 1, 1]))
    #expect(oracle.all().output.elements == [100, 100, 100, 200, 200, 200])
  }

  @Test func rulesReceiveSequenceHeadQueryAndKey() throws {
    let shape = ProblemShape(
      batch: 2, heads: HeadCounts(query: 2, keyValue: 1), queries: 3, keys: 4, headDimension: 2,
      valueDimension: 1)
    let (q, k, v) = shape.inputs(Double.self, seed: 5)
    var oracle = AttentionOracle(queries: q, keys: k, values: v)
    // Each query sees one key, a different one for each sequence, head and query.
    oracle.rules.isVisible = { b, h, i, j in j == (2 * b + h + i) % 4 }
    for b in 0..<2 {
      for h in 0..<2 {
        for i in 0..<3 {
          #expect(
            oracle.row(sequence: b, head: h, query: i).output == [v[b, 0, (2 * b + h + i) % 4, 0]],
            "sequence \(b) head \(h) query \(i)")
        }
      }
    }
  }

  @Test func viewsGiveWhatTheirCopiesGive() throws {
    let merged = Tensor<Float>.normal([2, 5, 3 * 4], seed: 8)
    let view = try merged.splitHeads(3)
    let copy = view.contiguousCopy()
    let fromViews = AttentionOracle(queries: view, keys: view, values: view).all()
    let fromCopies = AttentionOracle(queries: copy, keys: copy, values: copy).all()
    #expect(fromViews.output.elements == fromCopies.output.elements)
    #expect(fromViews.logSumExp.elements == fromCopies.logSumExp.elements)
  }
}
