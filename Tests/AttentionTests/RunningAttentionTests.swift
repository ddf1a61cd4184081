import Attention
import AttentionReference
import TestSupport
import Testing

/// Attention that comes in over one set of keys after the other, in passes over some of the rows.
struct RunningAttentionTests {
  private static let (heads, keyHeads, width, rows, keyCount) = (4, 2, 32, 37, 150)
  private let pool = WorkerPool(threads: 2)

  private func tensor<Element: AttentionElement>(
    _ rows: Int, _ heads: Int, seed: UInt64, _: Element.Type
  ) -> Tensor<Element> {
    Tensor<Float>.normal([rows, heads, Self.width], seed: seed).converted(to: Element.self)
  }

  private func keyValues<Element: AttentionElement>(_ keys: Range<Int>, _: Element.Type) -> KeyValues {
    KeyValues(
      packedKeys: tensor(Self.keyCount, Self.keyHeads, seed: 2, Element.self).sliced(axis: 0, keys),
      values: tensor(Self.keyCount, Self.keyHeads, seed: 3, Element.self).sliced(axis: 0, keys),
      lengths: [keys.count])
  }

  /// What a part gives has the bits of a call, and the sum of weights that its output was divided by.
  private func checkPart<Element: AttentionElement>(_: Element.Type, sumsWithin: Double) throws {
    let attend = ScaledDotProductAttention(on: pool)
    let queries = tensor(Self.rows, Self.heads, seed: 1, Element.self)
    let keyValues = keyValues(0..<Self.keyCount, Element.self)
    let whole = try attend.withLogSumExp(.packed(queries, lengths: [Self.rows]), keyValues)
    var partial = try PartialAttention<Element>(rows: 50, heads: Self.heads, width: Self.width)
    let part = try partial.attend(attend, queries, keyValues)
    #expect(part.output == whole.output)
    let sums = Tolerance(absolute: sumsWithin)
    #expect(sums.worstMismatch(part.logSumExp, expected: whole.logSumExp) == nil)
    // Sums of rounded weights where weights are rounded: the exact ones would cost a second exponential of each score.
    let plan = try attend.plan(.packed(queries, lengths: [Self.rows]), keyValues)
    #expect((part.logSumExp != whole.logSumExp) == "\(plan)".contains("products of bf16 pairs"))
    let again = try partial.results(Self.rows)
    #expect(again.output == part.output && again.logSumExp == part.logSumExp)
  }

  @Test func partsHaveTheBitsOfACall() throws {
    try checkPart(Float.self, sumsWithin: 0)
    try checkPart(Double.self, sumsWithin: 0)
    try checkPart(Float16.self, sumsWithin: 0)
    // The sum of weights that were rounded to 8 bits.
    try checkPart(BFloat16.self, sumsWithin: 0x1p-8)
  }

  /// Passes over some rows each come to what one pass over all does.
  private func checkPasses<Element: AttentionElement>(_: Element.Type) throws {
    let attend = ScaledDotProductAttention(on: pool)
    let queries = tensor(Self.rows, Self.heads, seed: 1, Element.self)
    let sinks = [0.5, -1, 2, 0]
    var results: [(output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>)] = []
    for perPass in [Self.rows, 10, 1] {
      var running = try RunningAttention<Element>(rows: Self.rows, heads: Self.heads, width: Self.width)
      var partial = try PartialAttention<Element>(rows: perPass, heads: Self.heads, width: Self.width)
      for first in stride(from: 0, to: Self.rows, by: perPass) {
        let rows = first..<min(Self.rows, first + perPass)
        running.begin(rows.count)
        for keys in [0..<64, 64..<65, 65..<Self.keyCount] {
          let part = try partial.attend(
            attend, queries.sliced(axis: 0, rows), keyValues(keys, Element.self))
          running.add(part.output, part.logSumExp, at: first, on: pool)
        }
        running.end(sinks: sinks, on: pool)
      }
      results.append(running.results)
    }
    // Half-precision parts are rounded before they merge: two steps of outputs below 4. Kernels differ with the number of rows, so bits do too.
    let tolerance = Tolerance(
      absolute: Element.elementType == .bfloat16 ? 0x1p-5 : Element.elementType == .float16 ? 0x1p-8 : 4e-6)
    let sums = Tolerance(absolute: Element.elementType == .bfloat16 ? 0x1p-8 : 1e-5)
    var withSinks = attend
    withSinks.options.sinks = sinks
    let whole = try withSinks.withLogSumExp(
      .packed(queries, lengths: [Self.rows]), keyValues(0..<Self.keyCount, Element.self))
    for result in results {
      #expect(
        tolerance.worstMismatch(result.output, expected: whole.output) == nil)
      #expect(
        sums.worstMismatch(result.logSumExp, expected: whole.logSumExp) == nil)
    }
  }

  @Test func passesComeToWhatOneDoes() throws {
    try checkPasses(Float.self)
    try checkPasses(Double.self)
    try checkPasses(Float16.self)
    try checkPasses(BFloat16.self)
  }
}
