import Attention
import TestSupport
import Testing

/// Key ranges as the contract's table defines them, found out through the public API: with a value of 1 at one key and 0
/// elsewhere, the output is not 0 exactly where that key is visible.
@Suite struct KeyVisibilityTests {
  @Test func masksSayWhatTheyAre() {
    #expect("\(AttentionMask.none)" == "none")
    #expect("\(AttentionMask.causal & .window(left: 3))" == "causal & window(left: 3)")
    let mask = AttentionMask.window(left: 1, right: 2, .topLeft) & .boolean(.zeros([4, 5]))
    #expect("\(mask)" == "window(left: 1, right: 2) & boolean[4, 5], aligned topLeft")
  }

  @Test(arguments: MaskCase.all)
  func everyKeyIsVisibleExactlyWhereItsRulesSay(mask: MaskCase) throws {
    let shape = ProblemShape(
      batch: 2, heads: HeadCounts(query: 2, keyValue: 2), queries: 6, keys: 9, headDimension: 2,
      valueDimension: 9)
    let (composed, rules) = mask.make(shape)
    var identity = Tensor<Float>.zeros([2, 2, 9, 9])
    for b in 0..<2 { for h in 0..<2 { for j in 0..<9 { identity[b, h, j, j] = 1 } } }
    let zeros = Tensor<Float>.zeros([2, 2, 9, 2])
    let weights = try ScaledDotProductAttention(mask: composed)(
      Tensor<Float>.zeros([2, 2, 6, 2]), mask.keyValues((zeros, zeros, identity), shape))
    for b in 0..<2 {
      for h in 0..<2 {
        for i in 0..<6 {
          for j in 0..<9 {
            #expect(
              (weights[b, h, i, j] > 0) != rules.hides(b, h, i, j),
              "sequence \(b) head \(h) query \(i) key \(j)")
          }
        }
      }
    }
  }
}
