import Attention
import AttentionInspection
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Mass, entropy and the largest weight of each head, from its rows of weights and from cases with a known answer.
@Suite struct InspectionSummaryTests {
  /// More rows than are added up in one part.
  private static let longShape = ProblemShape(queries: 150, keys: 21, headDimension: 8, valueDimension: 6)

  @Test func aSummaryPrintsOnOneLine() throws {
    let same = Tensor<Float>(repeating: 1, shape: [1, 1, 2, 4])
    var values = same
    values[0, 0, 1, 2] = 0
    let summary = try AttentionInspector(
      ScaledDotProductAttention(mask: .causal), same,
      KeyValues(keys: same, values: values)
    )
    .summaries()[0]
    #expect(
      "\(summary)"
        == "sequence 0 head 0: entropy 0.347 nats, effective rank \((summary.effectiveRank * 1000).rounded() / 1000), "
        + "largest weight 1.0 at 0 → 0, most mass {0: 1.5, 1: 0.5}")
  }

  /// The sums by their definitions, over weights that ``InspectionTests`` compares with the oracle.
  @Test(arguments: InspectionTests.shapes + [longShape], MaskCase.all) func summariesAreTheSumsOfWeights(
    shape: ProblemShape, mask: MaskCase
  ) throws {
    let (q, k, v) = shape.inputs(Double.self)
    var inspector = try AttentionInspector(
      ScaledDotProductAttention(mask: mask.make(shape).mask), q,
      mask.keyValues((q, k, v), shape))
    inspector.blockByteCount = (shape.queries < 100 ? 3 : 100) * shape.keys * 8
    let summaries = try inspector.summaries()
    #expect(summaries.count == shape.batch * shape.heads.query)
    for (pair, summary) in summaries.enumerated() {
      let context = "\(shape) \(mask), pair \(pair)"
      let (sequence, head) = pair.quotientAndRemainder(dividingBy: shape.heads.query)
      #expect(summary.sequence == sequence && summary.head == head, "\(context)")
      let weights = try inspector.weights(sequence: sequence, head: head, queries: 0..<shape.queries)
      let norms = try inspector.valueNorms(sequence: sequence, head: head)
      let rows = (0..<shape.queries).map { i in (0..<shape.keys).map { weights[i, $0] } }
      let seeing = rows.filter { $0.contains { $0 > 0 } }
      #expect(summary.attendingQueries == seeing.count, "\(context)")
      // Each of n additions rounds a sum of at most n, so that sums in two orders differ by at most n² · 2⁻⁵². A row's matrix
      // product may round otherwise in a block of another size, by the weights' tolerance of 4e-15.
      let n = Double(shape.queries)
      let tolerance = n * (4e-15 + n * 0x1p-52)
      for key in 0..<shape.keys {
        let mass = rows.reduce(0) { $0 + $1[key] }
        #expect(abs(summary.mass[key] - mass) <= tolerance, "\(context), key \(key)")
        #expect(
          abs(summary.contributionMass[key] - mass * norms[key]) <= tolerance * (1 + norms[key]),
          "\(context), key \(key)")
      }
      #expect(
        abs(summary.mass.reduce(0, +) - Double(seeing.count)) <= tolerance * Double(shape.keys), "\(context)"
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
    let all = try AttentionInspector(ScaledDotProductAttention(), q, KeyValues(keys: k, values: v))
      .summaries()[0]
    // Rounding 1/7 to Float shifts it, and so the entropy, by at most 2⁻²⁴ relatively; the factor covers the sum.
    #expect(abs(all.entropy - log(7.0)) <= 4 * 0x1p-24 * log(7.0))
    #expect(all.largestWeight?.query == 0 && all.largestWeight?.key == 0)
    let causal = try AttentionInspector(
      ScaledDotProductAttention(mask: .causal(.topLeft)), q,
      KeyValues(keys: k, values: v)
    ).summaries()[
      0]
    let expected = (log(1.0) + log(2.0) + log(3.0) + log(4.0)) / 4
    #expect(abs(causal.entropy - expected) <= 4 * 0x1p-24 * expected)
    let largest = try #require(causal.largestWeight)
    #expect(largest.weight == 1 && largest.query == 0 && largest.key == 0)
  }

  @Test func equalWeightsOfManyRowsAddUpAndTheFirstIsTheLargest() throws {
    // More rows than one thread adds up at a time; 1/8 and its sums are exact.
    let (q, k) = (Tensor<Float>.zeros([1, 1, 300, 2]), Tensor<Float>.zeros([1, 1, 8, 2]))
    let summary = try AttentionInspector(ScaledDotProductAttention(), q, KeyValues(keys: k, values: k))
      .summaries()[0]
    #expect(summary.mass == [Double](repeating: 37.5, count: 8) && summary.attendingQueries == 300)
    let largest = try #require(summary.largestWeight)
    #expect(largest.weight == 0.125 && largest.query == 0 && largest.key == 0)
  }

  @Test func queriesThatSeeNothingCountInNoAverage() throws {
    let (q, k) = (Tensor<Double>.zeros([1, 1, 4, 2]), Tensor<Double>.zeros([1, 1, 2, 2]))
    let inspector = try AttentionInspector(
      ScaledDotProductAttention(mask: .causal(.offset(-2))), q,
      KeyValues(keys: k, values: Tensor<Double>.normal([1, 1, 2, 3], seed: 5)))
    let summary = try inspector.summaries()[0]
    #expect(summary.attendingQueries == 2)
    #expect(abs(summary.entropy - log(2.0) / 2) < 1e-15)
    #expect(summary.mass == [1.5, 0.5])

    let nothing = try AttentionInspector(
      ScaledDotProductAttention(), q,
      KeyValues(keys: k, values: Tensor<Double>.normal([1, 1, 2, 3], seed: 5), lengths: [0])
    ).summaries()[0]
    #expect(nothing.attendingQueries == 0 && nothing.entropy == 0 && nothing.largestWeight == nil)
    #expect(nothing.mass == [0, 0] && nothing.effectiveRank == 0)
  }

  @Test func sinksTakeTheirShare() throws {
    // Scores of 0 beside a sink of ln 2, which weighs as much as two keys.
    let (q, k) = (Tensor<Double>.zeros([1, 2, 3, 2]), Tensor<Double>.zeros([1, 1, 4, 2]))
    let summaries = try AttentionInspector(
      ScaledDotProductAttention(options: AttentionOptions(sinks: [log(2.0), -.infinity])), q,
      KeyValues(keys: k, values: Tensor<Double>.normal([1, 1, 4, 3], seed: 5))
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
    let padded = try AttentionInspector(
      ScaledDotProductAttention(), q, KeyValues(keys: k, values: v, lengths: [3])
    ).summaries()
    #expect(padded[0].entropy.isFinite && padded[0].effectiveRank.isFinite)
    #expect(padded[0].mass.allSatisfy { $0.isFinite } && padded[0].contributionMass[3] == 0)
    #expect(padded[1].entropy.isNaN && padded[1].mass[0].isNaN && padded[1].mass[3] == 0)
    #expect(padded[1].attendingQueries == 3)
    k[0, 0, 3, 0] = 0
    let seen = try AttentionInspector(ScaledDotProductAttention(), q, KeyValues(keys: k, values: v))
      .summaries()
    #expect(seen[0].effectiveRank.isNaN && seen[1].effectiveRank.isFinite)
    #expect(seen[0].contributionMass[3].isNaN && seen[0].contributionMass[0].isFinite)
  }

  @Test(arguments: [InspectionTests.shapes[1], longShape]) func threadsChangeNothing(shape: ProblemShape)
    throws
  {
    let (q, k, v) = shape.inputs(Float.self)
    let one = try AttentionInspector(
      ScaledDotProductAttention(mask: .causal, on: Pools.one), q,
      KeyValues(keys: k, values: v)
    ).summaries()
    let more = try AttentionInspector(
      ScaledDotProductAttention(mask: .causal, on: Pools.seven), q,
      KeyValues(keys: k, values: v)
    )
    .summaries()
    for (a, b) in zip(one, more) {
      #expect(a.mass == b.mass && a.entropy == b.entropy && a.effectiveRank == b.effectiveRank)
    }
  }

  /// Where a modifier was asked for a score.
  private final class Visits: Sendable {
    let places = Mutex<Set<[Int]>>([])
  }

  @Test(arguments: [
    (0..<2, 0..<4), (1..<2, 2..<4), (0..<1, 1..<2), (0..<2, 3..<4), (1..<1, 0..<4), (0..<2, 4..<4),
  ])
  func whatIsNotAskedForIsNotComputed(sequences: Range<Int>, heads: Range<Int>) throws {
    let shape = InspectionTests.shapes[1]
    let (q, k, v) = shape.inputs(Float.self)
    // Slopes and lengths that differ, so that no head and no sequence is another's twin.
    let mask = AttentionMask.alibi(slopes: [0, 0.1, 0.5, 2])
    let keyValues = KeyValues(keys: k, values: v, lengths: [21, 13])
    let all = try AttentionInspector(ScaledDotProductAttention(mask: mask), q, keyValues).summaries()
    let visits = Visits()
    let modifier = ScoreModifier { score, place in
      visits.places.withLock { _ = $0.insert([place.sequence, place.head]) }
      return score
    }
    let some = try AttentionInspector(
      ScaledDotProductAttention(mask: mask & .modifier(modifier)), q, keyValues
    )
    .summaries(sequences: sequences, heads: heads)
    let expected = all.filter { sequences.contains($0.sequence) && heads.contains($0.head) }
    #expect(some.map { [$0.sequence, $0.head] } == expected.map { [$0.sequence, $0.head] })
    for (a, b) in zip(some, expected) {
      #expect(a.mass == b.mass && a.contributionMass == b.contributionMass, "\(a.sequence) \(a.head)")
      #expect(a.entropy == b.entropy && a.largestWeight == b.largestWeight, "\(a.sequence) \(a.head)")
      #expect(a.effectiveRank == b.effectiveRank && a.attendingQueries == b.attendingQueries)
    }
    #expect(visits.places.withLock { $0 } == Set(expected.map { [$0.sequence, $0.head] }))
  }

  @Test func theRankIsOfWhatTheHeadSees() throws {
    // Values 0 and 1 point one way, value 2 another. Both heads read them; head 1 sees no more than two.
    let v = try Tensor<Double>([1, 0, 2, 0, 0, 3], shape: [1, 1, 3, 2])
    let mask = try Tensor<Bool>([true, true, true, true, true, false], shape: [1, 2, 1, 3])
    let inspector = try AttentionInspector(
      ScaledDotProductAttention(mask: .boolean(mask)),
      Tensor<Double>.zeros([1, 2, 4, 1]),
      KeyValues(keys: Tensor<Double>.zeros([1, 1, 3, 1]), values: v))
    let summaries = try inspector.summaries()
    // Singular values √5 and 3, in units of their sum.
    let (a, b) = (5.0.squareRoot() / (5.0.squareRoot() + 3), 3 / (5.0.squareRoot() + 3))
    #expect(abs(summaries[0].effectiveRank - exp(-a * log(a) - b * log(b))) < 1e-12)
    #expect(abs(summaries[1].effectiveRank - 1) < 1e-12)
    #expect(try inspector.summaries(heads: 1..<2)[0].effectiveRank == summaries[1].effectiveRank)
  }

  @Test func emptyProblemsHaveEmptySummaries() throws {
    func summaries(_ q: Shape, _ k: Shape) throws -> [HeadSummary] {
      let keys = Tensor<Float>.zeros(k)
      return try AttentionInspector(
        ScaledDotProductAttention(), Tensor<Float>.zeros(q), KeyValues(keys: keys, values: keys)
      ).summaries()
    }
    #expect(try summaries([0, 2, 3, 4], [0, 2, 5, 4]).isEmpty)
    #expect(try summaries([2, 0, 3, 4], [2, 0, 5, 4]).isEmpty)
    #expect(try summaries([1, 2, 0, 4], [1, 2, 5, 4]).map { $0.attendingQueries } == [0, 0])
    #expect(try summaries([1, 2, 3, 4], [1, 2, 0, 4]).map { $0.mass } == [[], []])
  }
}
