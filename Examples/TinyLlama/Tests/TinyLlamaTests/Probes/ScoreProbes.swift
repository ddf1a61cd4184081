import Attention
import AttentionInspection
import Testing

/// Who looks at what in a server's step: scores and inspection of packed queries over pages.
struct ScoreProbes {
  let attend = ScaledDotProductAttention(mask: .causal)
  let step: ServerStep
  let queries: Queries<Float>

  init() throws {
    step = try ServerStep()
    queries = .packed(step.queries, lengths: step.queryLengths)
  }

  @Test func weightsOfPackedQueriesOverPages() throws {
    // The first ten sequences decode: row i is sequence i's.
    let weights = try attend.scores(queries, step.pages, rows: 0..<10)
    #expect(weights.shape == [ServerStep.queryHeads, 10, step.keyLengths.max()!])
    let output = try attend(queries, step.pages)
    for sequence in 0..<10 {
      let length = step.keyLengths[sequence]
      for head in [0, 5] {
        let row = weights.selected(axis: 0, head).selected(axis: 0, sequence)
        let values = step.values[sequence].selected(axis: 0, 0).selected(axis: 0, head / 4)
        let average = try weightedAverage(of: values, weights: row.sliced(axis: 0, 0..<length))
        let mine = output.selected(axis: 0, sequence).selected(axis: 0, head)
        #expect(mine.maximumDifference(average) <= floatTolerance, "sequence \(sequence) head \(head)")
        #expect(row.sliced(axis: 0, length..<row.count).elements.allSatisfy { $0 == 0 })
      }
    }
  }

  @Test func inspectionOfPackedQueriesOverPages() throws {
    let inspector = try AttentionInspector(attend, queries, step.pages)
    // The chunk of 256 queries, head 3.
    let summary = try #require(try inspector.summaries(sequences: 49..<50, heads: 3..<4).first)
    #expect(summary.attendingQueries == 256)
    let (keys, values) = (step.keys[49], step.values[49])
    let alone = try attend.scores(
      step.rows(of: 49, in: step.queries), KeyValues(keys: keys, values: values))
    let head = alone.selected(axis: 0, 0).selected(axis: 0, 3)
    let length = step.keyLengths[49]
    for (key, mass) in head.sum(axis: 0).elements.enumerated() {
      #expect((summary.mass[key] - Double(mass)).magnitude <= 1e-5 * (1 + Double(mass)), "key \(key)")
    }
    #expect(summary.mass[length...].allSatisfy { $0 == 0 })
    let some = try inspector.weights(sequence: 49, head: 3, queries: 250..<256)
    #expect(some.sliced(axis: 1, 0..<length) == head.sliced(axis: 0, 250..<256))
  }
}
