import Attention
import Testing

/// A server's step in one call: packed queries, keys and values in pages.
struct PackedPagesProbes {
  let attend = ScaledDotProductAttention(mask: .causal)
  let step: ServerStep

  init() throws {
    step = try ServerStep()
  }

  @Test func packedQueriesOverPages() throws {
    let output = try attend(.packed(step.queries, lengths: step.queryLengths), step.pages)
    for sequence in step.keys.indices {
      let (keys, values) = (step.keys[sequence], step.values[sequence])
      let queries = step.rows(of: sequence, in: step.queries)
      let mine = step.rows(of: sequence, in: output)
      let alone = try attend(queries, KeyValues(keys: keys, values: values))
      #expect(mine == alone, "sequence \(sequence) beside others and alone")
      let difference = try mine.maximumDifference(attentionByFormula(queries, keys, values))
      #expect(difference <= floatTolerance, "sequence \(sequence)")
    }
  }

  @Test func paddedQueriesOverPages() throws {
    var padded = Tensor<Float>(repeating: .nan, shape: [50, ServerStep.queryHeads, 256, ServerStep.width])
    for (sequence, length) in step.queryLengths.enumerated() {
      try padded.withMutableView { view in
        try view.sliced(axis: 0, sequence..<sequence + 1).sliced(axis: 2, 0..<length)
          .assign(from: step.rows(of: sequence, in: step.queries))
      }
    }
    let packed = try attend(.packed(step.queries, lengths: step.queryLengths), step.pages)
    let output = try attend(.padded(padded, lengths: step.queryLengths), step.pages)
    for (sequence, length) in step.queryLengths.enumerated() {
      let mine = output.sliced(axis: 0, sequence..<sequence + 1)
      #expect(mine.sliced(axis: 2, 0..<length) == step.rows(of: sequence, in: packed), "sequence \(sequence)")
      #expect(mine.sliced(axis: 2, length..<256).elements.allSatisfy { $0 == 0 }, "padding of \(sequence)")
    }
  }

  @Test func anOffsetOfItsOwnForEachSequence() throws {
    let queries = Queries.packed(step.queries, lengths: step.queryLengths)
    // Where `.causal` puts them by itself, then all of them one key earlier: the last key is hidden.
    let offsets = zip(step.keyLengths, step.queryLengths).map { $0 - $1 }
    let same = try ScaledDotProductAttention(mask: .causal(.offsets(offsets)))(queries, step.pages)
    #expect(try same == attend(queries, step.pages))
    let earlier = try ScaledDotProductAttention(mask: .causal(.offsets(offsets.map { $0 - 1 })))(
      queries, step.pages)
    for sequence in [0, 48, 49] {
      let range = 0..<step.keyLengths[sequence] - 1
      let expected = try attentionByFormula(
        step.rows(of: sequence, in: step.queries), step.keys[sequence].sliced(axis: 2, range),
        step.values[sequence].sliced(axis: 2, range))
      let difference = step.rows(of: sequence, in: earlier).maximumDifference(expected)
      #expect(difference <= floatTolerance, "sequence \(sequence)")
    }
  }

  @Test func outputAndLogSumExpOfPackedQueriesInMemoryOfTheCallers() throws {
    let queries = Queries.packed(step.queries, lengths: step.queryLengths)
    let (expected, expectedSums) = try attend.withLogSumExp(queries, step.pages)
    // The layout of a projection's input: heads of a token side by side in a wider row.
    var wide = Tensor<Float>(repeating: -1, shape: [305, ServerStep.queryHeads, ServerStep.width + 8])
    var sums = Tensor<Float>.zeros([ServerStep.queryHeads, 305])
    try wide.withMutableView { wide in
      try sums.withMutableView { sums in
        try attend.write(
          queries, step.pages, to: wide.sliced(axis: 2, 0..<ServerStep.width), logSumExp: sums)
      }
    }
    #expect(wide.sliced(axis: 2, 0..<ServerStep.width) == expected)
    #expect(wide.sliced(axis: 2, ServerStep.width..<ServerStep.width + 8).elements.allSatisfy { $0 == -1 })
    #expect(sums == expectedSums)
  }

  @Test func pagesHaveLengthsThatAreChecked() throws {
    func refusal(table: Tensor<Int32>, lengths: [Int]) -> String? {
      let pages = KeyValues(
        keyPages: step.keyPages, valuePages: step.valuePages, pageTable: table, lengths: lengths)
      do {
        _ = try attend(.packed(step.queries, lengths: step.queryLengths), pages)
        return nil
      } catch {
        return error.argument
      }
    }
    #expect(refusal(table: step.pageTable, lengths: step.keyLengths) == nil)
    #expect(refusal(table: step.pageTable, lengths: Array(step.keyLengths.dropLast())) == "lengths")
    // More than the table has room for, and one page more than a sequence has: page −1.
    #expect(refusal(table: step.pageTable, lengths: step.keyLengths.map { $0 + 1000 }) == "lengths")
    let oneLonger = [step.keyLengths[0] + 16] + step.keyLengths.dropFirst()
    #expect(refusal(table: step.pageTable, lengths: oneLonger) == "pageTable")
  }
}
