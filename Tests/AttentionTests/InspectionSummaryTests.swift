import Attention
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Mass, entropy and the largest weight of each head, from its rows of weights and from cases with a known answer.
@Suite struct InspectionSummaryTests {
  /// The sums by their definitions, over weights that ``InspectionTests`` compares with the oracle.
  @Test(arguments: InspectionTests.shapes, MaskCase.all) func summariesAreTheSumsOfWeights(
    shape: ProblemShape, mask: MaskCase
  ) throws {
    let (q, k, v) = shape.inputs(Double.self)
    var inspector = try AttentionInspector(queries: q, keys: k, values: v, mask: mask.make(shape).mask)
    inspector.blockByteCount = 3 * shape.batch * shape.queryHeads * shape.keys * 8
    let summaries = try inspector.summaries()
    #expect(summaries.count == shape.batch * shape.queryHeads)
    for (pair, summary) in summaries.enumerated() {
      let context = "\(shape) \(mask), pair \(pair)"
      let (sequence, head) = pair.quotientAndRemainder(dividingBy: shape.queryHeads)
      #expect(summary.sequence == sequence && summary.head == head, "\(context)")
      let weights = try inspector.weights(sequence: sequence, head: head, queries: 0..<shape.queries)
      let norms = try inspector.valueNorms(sequence: sequence, head: head)
      let rows = (0..<shape.queries).map { i in (0..<shape.keys).map { weights[i, $0] } }
      let seeing = rows.filter { $0.contains { $0 > 0 } }
      #expect(summary.attendingQueries == seeing.count, "\(context)")
      // Weights are at most 1 and there are at most 12 rows: Double sums in any order agree to 12 · 2⁻⁵², and a row's
      // matrix product may round otherwise in a block of another size, by the weights' tolerance of 4e-15.
      for key in 0..<shape.keys {
        let mass = rows.reduce(0) { $0 + $1[key] }
        #expect(abs(summary.mass[key] - mass) <= 12 * 4e-15, "\(context), key \(key)")
        #expect(
          abs(summary.contributionMass[key] - mass * norms[key]) <= 12 * 4e-15 * (1 + norms[key]),
          "\(context), key \(key)")
      }
      #expect(
        abs(summary.mass.reduce(0, +) - Double(seeing.count)) <= 12 * 4e-15 * Double(shape.keys), "\(context)"
      )
      let entropies = seeing.map { $0.reduce(0) { $0 - ($1 > 0 ? $1 * log($1) : 0) } }
      let entropy = entropies.reduce(0, +) / Double(max(1, entropies.count))
      // An error of 4e-15 in a weight of e⁻³⁰ or more moves p ln p by less than 31 times as much.
      #expect(abs(summary.entropy - entropy) <= 31 * 4e-15 * Double(shape.keys), "\(context)")
      let largest = rows.flatMap { $0 }.max() ?? 0
      #expect(abs((summary.largestWeight?.weight ?? 0) - largest) <= 4e-15, "\(context)")
      if let weight = summary.largestWeight {
        #expect(abs(rows[weight.query][weight.key] - largest) <= 4e-15, "\(context)")
      }
      #expect(summary.sinkShare == 0, "\(context)")
    }
  }

  @Test func uniformWeightsHaveTheEntropyOfTheirNumber() throws {
    let (q, k) = (Tensor<Float>.zeros([1, 1, 4, 2]), Tensor<Float>.zeros([1, 1, 7, 2]))
    let v = Tensor<Float>.normal([1, 1, 7, 3], seed: 5)
    let all = try AttentionInspector(queries: q, keys: k, values: v).summaries()[0]
    // Rounding 1/7 to Float shifts it, and so the entropy, by at most 2⁻²⁴ relatively; the factor covers the sum.
    #expect(abs(all.entropy - log(7.0)) <= 4 * 0x1p-24 * log(7.0))
    #expect(all.largestWeight?.query == 0 && all.largestWeight?.key == 0)
    let causal = try AttentionInspector(queries: q, keys: k, values: v, mask: .causal(.topLeft)).summaries()[
      0]
    let expected = (log(1.0) + log(2.0) + log(3.0) + log(4.0)) / 4
    #expect(abs(causal.entropy - expected) <= 4 * 0x1p-24 * expected)
    let largest = try #require(causal.largestWeight)
    #expect(largest.weight == 1 && largest.query == 0 && largest.key == 0)
  }

  @Test func queriesThatSeeNothingCountInNoAverage() throws {
    let (q, k) = (Tensor<Double>.zeros([1, 1, 4, 2]), Tensor<Double>.zeros([1, 1, 2, 2]))
    let inspector = try AttentionInspector(
      queries: q, keys: k, values: .normal([1, 1, 2, 3], seed: 5), mask: .causal(.offset(-2)))
    let summary = try inspector.summaries()[0]
    #expect(summary.attendingQueries == 2)
    #expect(abs(summary.entropy - log(2.0) / 2) < 1e-15)
    #expect(summary.mass == [1.5, 0.5])

    let nothing = try AttentionInspector(
      queries: q, keys: k, values: .normal([1, 1, 2, 3], seed: 5), mask: .keyLengths([0])
    ).summaries()[0]
    #expect(nothing.attendingQueries == 0 && nothing.entropy == 0 && nothing.largestWeight == nil)
    #expect(nothing.mass == [0, 0] && nothing.effectiveRank == 0)
  }

  @Test func sinksTakeTheirShare() throws {
    // Scores of 0 beside a sink of ln 2, which weighs as much as two keys.
    let (q, k) = (Tensor<Double>.zeros([1, 2, 3, 2]), Tensor<Double>.zeros([1, 1, 4, 2]))
    let summaries = try AttentionInspector(
      queries: q, keys: k, values: .normal([1, 1, 4, 3], seed: 5),
      options: AttentionOptions(sinks: [log(2.0), -.infinity])
    ).summaries()
    #expect(abs(summaries[0].sinkShare - 1.0 / 3) < 1e-15)
    #expect(abs(summaries[0].mass.reduce(0, +) - 2) < 1e-14)
    #expect(abs(summaries[0].entropy - 4.0 / 6 * log(6.0)) < 1e-14)
    #expect(summaries[1].sinkShare < 1e-15)
  }

  @Test func nanIsNotHiddenAndStaysWhereItIs() throws {
    let shape = ProblemShape(queries: 3, keys: 4, headDimension: 2, valueDimension: 2)
    var (q, k, v) = shape.inputs(Float.self)
    q[0, 1, 0, 0] = .nan
    v[0, 0, 3, 1] = .nan
    k[0, 0, 3, 0] = .nan
    let padded = try AttentionInspector(queries: q, keys: k, values: v, mask: .keyLengths([3])).summaries()
    #expect(padded[0].entropy.isFinite && padded[0].effectiveRank.isFinite)
    #expect(padded[0].mass.allSatisfy { $0.isFinite } && padded[0].contributionMass[3] == 0)
    #expect(padded[1].entropy.isNaN && padded[1].mass[0].isNaN && padded[1].mass[3] == 0)
    #expect(padded[1].attendingQueries == 3)
    k[0, 0, 3, 0] = 0
    let seen = try AttentionInspector(queries: q, keys: k, values: v).summaries()
    #expect(seen[0].effectiveRank.isNaN && seen[1].effectiveRank.isFinite)
    #expect(seen[0].contributionMass[3].isNaN && seen[0].contributionMass[0].isFinite)
  }

  @Test func threadsChangeNothing() throws {
    let shape = InspectionTests.shapes[1]
    let (q, k, v) = shape.inputs(Float.self)
    let one = try AttentionInspector(queries: q, keys: k, values: v, mask: .causal, on: Pools.one).summaries()
    let more = try AttentionInspector(queries: q, keys: k, values: v, mask: .causal, on: Pools.seven)
      .summaries()
    for (a, b) in zip(one, more) {
      #expect(a.mass == b.mass && a.entropy == b.entropy && a.effectiveRank == b.effectiveRank)
    }
  }

  @Test func emptyProblemsHaveEmptySummaries() throws {
    func summaries(_ q: Shape, _ k: Shape) throws -> [HeadSummary] {
      try AttentionInspector(queries: Tensor<Float>.zeros(q), keys: .zeros(k), values: .zeros(k)).summaries()
    }
    #expect(try summaries([0, 2, 3, 4], [0, 2, 5, 4]).isEmpty)
    #expect(try summaries([2, 0, 3, 4], [2, 0, 5, 4]).isEmpty)
    #expect(try summaries([1, 2, 0, 4], [1, 2, 5, 4]).map { $0.attendingQueries } == [0, 0])
    #expect(try summaries([1, 2, 3, 4], [1, 2, 0, 4]).map { $0.mass } == [[], []])
  }
}
