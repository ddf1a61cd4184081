import Attention
import TestSupport
import Testing

/// Parts that cannot be joined are refused with the number of the part.
@Suite struct JoinedErrorTests {
  private func part(_ keys: Shape, _ values: Shape, lengths: [Int]? = nil) -> KeyValues {
    KeyValues(keys: Tensor<Float>.zeros(keys), values: Tensor<Float>.zeros(values), lengths: lengths)
  }

  private func refusal(_ parts: [KeyValues]) -> AttentionError? {
    AttentionTests.refusal { () throws(AttentionError) in
      try ScaledDotProductAttention()(Tensor<Float>.zeros([1, 2, 3, 4]), KeyValues(joining: parts))
    }
  }

  private var good: KeyValues { part([1, 2, 5, 4], [1, 2, 5, 6]) }

  @Test func refusesNothingAtAll() {
    #expect(refusal([])?.description == "keyValues: no parts to join given, expected at least one")
    #expect(refusal([KeyValues(joining: [])])?.argument == "keyValues")
    #expect(refusal([good]) == nil && refusal([good, good]) == nil)
  }

  @Test func refusesPartsThatDoNotFit() {
    let pages = Tensor<Float>.zeros([1, 1, 3, 4])
    let table = Tensor<Int32>.zeros([1, 1])
    let others: [(KeyValues, String)] = [
      (part([1, 1, 5, 4], [1, 1, 5, 6]), "2 heads of width 4 as in part 0"),
      (part([1, 2, 5, 3], [1, 2, 5, 6]), "2 heads of width 4 as in part 0"),
      (part([1, 2, 5, 4], [1, 2, 5, 7]), "the width 6 of part 0"),
      (part([2, 2, 5, 4], [2, 2, 5, 6]), "1 sequences as in part 0"),
      (part([1, 2, 5, 4], [1, 2, 4, 6]), "to match keys [1, 2, 5, 4]"),
      (part([2, 5, 4], [1, 2, 4, 6]), "[B, Hkv, Tk, D]"),
      (part([1, 2, 5, 4], [1, 2, 5, 6], lengths: [6]), "expected 0...5"),
      (
        KeyValues(keyPages: pages, valuePages: pages, pageTable: table, lengths: [1]),
        "2 heads of width 4 as in part 0"
      ),
      (
        KeyValues(packedKeys: pages.selected(axis: 0, 0), values: pages.selected(axis: 0, 0), lengths: [2]),
        "expected at most 1"
      ),
    ]
    for (other, reason) in others {
      let error = refusal([good, good, other])
      #expect(error?.argument == "keyValues", "\(reason)")
      #expect(
        error?.reason.hasPrefix("part 2: ") == true && error?.reason.contains(reason) == true,
        "\(String(describing: error))")
      // Inside a part of a part.
      let nested = refusal([good, KeyValues(joining: [good, other])])
      #expect(
        nested?.reason.hasPrefix("part 1: keyValues: part 1: ") == true, "\(String(describing: nested))")
    }
  }

  @Test func refusesOtherTypes() {
    let halves = KeyValues(
      keys: Tensor<Float16>.zeros([1, 2, 5, 4]), values: Tensor<Float>.zeros([1, 2, 5, 6]))
    let other = KeyValues(
      keys: Tensor<Float>.zeros([1, 2, 5, 4]), values: Tensor<BFloat16>.zeros([1, 2, 5, 6]))
    for part in [halves, other] {
      let error = refusal([good, part])
      #expect(error?.argument == "keyValues")
      #expect(
        error?.reason.contains("float32 and float32 as in part 0") == true, "\(String(describing: error))")
    }
    #expect(refusal([halves, halves]) == nil && refusal([other, other, other]) == nil)
  }

  /// As many positions as no Int counts, of one row in memory.
  @Test func refusesPositionsThatNoIntCounts() throws {
    let q = Tensor<Float>.zeros([1, 1, 1, 1])
    let most = try q.broadcast(to: [1, 1, Int.max / 2, 1])
    let long = KeyValues(keys: most, values: most)
    expectRefusal(of: "keyValues", "Int counts") {
      try ScaledDotProductAttention()(q, KeyValues(joining: [long, long, long]))
    }
    expectRefusal(of: "keyValues", "BLAS") {
      try ScaledDotProductAttention()(q, KeyValues(joining: [long, long]))
    }
  }
}
