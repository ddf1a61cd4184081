import Attention
import Testing

/// Keys and values in types of their own, and in several places.
struct StorageProbes {
  let attend = ScaledDotProductAttention(mask: .causal)

  @Test(arguments: [1, 70]) func floatQueriesOnBFloat16KeysAndFloat16Values(_ queryCount: Int) throws {
    let queries = Tensor<Float>.normal([1, 6, queryCount, 32], seed: 1)
    let keys = Tensor<Float>.normal([1, 2, 300, 32], seed: 2).converted(to: BFloat16.self)
    let values = Tensor<Float>.normal([1, 2, 300, 32], seed: 3).converted(to: Float16.self)
    let output: Tensor<Float> = try attend(queries, KeyValues(keys: keys, values: values))
    let difference = try output.maximumDifference(attentionByFormula(queries, keys, values))
    #expect(difference <= halfTolerance)
  }

  @Test func aRingAsItsOlderAndItsNewerPart() throws {
    let ring = Tensor<Float>.normal([1, 2, 64, 32], seed: 3)
    let queries = Tensor<Float>.normal([1, 6, 1, 32], seed: 4)
    let parts = [ring.sliced(axis: 2, 20..<64), ring.sliced(axis: 2, 0..<20)]
    let output = try attend(queries, KeyValues(joining: parts.map { KeyValues(keys: $0, values: $0) }))
    let whole = try Tensor.concatenate(parts, axis: 2)
    #expect(try output == attend(queries, KeyValues(keys: whole, values: whole)))
    #expect(try output.maximumDifference(attentionByFormula(queries, whole, whole)) <= floatTolerance)
  }

  @Test func aPrefixThatSequencesShareBeforeKeysOfTheirOwn() throws {
    let prefix = Tensor<Float>.normal([1, 2, 40, 32], seed: 5)
    let own = Tensor<Float>.normal([3, 2, 9, 32], seed: 6)
    let queries = Tensor<Float>.normal([3, 6, 1, 32], seed: 7)
    let shared = try prefix.broadcast(to: [3, 2, 40, 32])
    let lengths = [9, 1, 4]
    let output = try attend(
      queries,
      KeyValues(joining: [
        KeyValues(keys: shared, values: shared), KeyValues(keys: own, values: own, lengths: lengths),
      ]))
    for (sequence, length) in lengths.enumerated() {
      let range = sequence..<sequence + 1
      let mine = own.sliced(axis: 0, range).sliced(axis: 2, 0..<length)
      let whole = try Tensor.concatenate([prefix, mine], axis: 2)
      let expected = try attentionByFormula(queries.sliced(axis: 0, range), whole, whole)
      #expect(output.sliced(axis: 0, range).maximumDifference(expected) <= floatTolerance)
    }
  }
}
