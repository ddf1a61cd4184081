import Tensors

/// Attention in three plain steps: `scores = scale · Q · Kᵀ`, `weights = softmax(scores)`, `output = weights · V`.
///
/// The textbook version, and the baseline that faster kernels are measured against: one thread, the whole `Tq × Tk`
/// matrix of scores in memory, no tiles, no tricks.
///
/// Float64 inputs compute in Double, all others in Float. Half-precision inputs widen first, and what the textbook
/// stores between its steps is rounded to their type: the weights, and the output. Scores and sums stay in Float.
///
/// It keeps the plain cases only. A hidden value of NaN still meets a weight of 0, and `0 · NaN` is NaN; a score of +∞
/// gives NaN. ``AttentionOracle`` has the exact answer for such edges.
///
/// - Parameters:
///   - queries: `[B, Hq, Tq, D]`
///   - keys: `[B, Hkv, Tk, D]`; query head `h` reads key head `h / (Hq / Hkv)`.
///   - values: `[B, Hkv, Tk, Dv]`
///   - rules: scale, softcap, sinks, visibility and bias. The score of a key that does not count is −∞.
///   - pairs: the (sequence, head) pairs `b · Hq + h` to work on, so that a benchmark can time a sample; all when nil.
/// - Returns: `[B, Hq, Tq, Dv]`; 0 in rows that see no key and in pairs that were not asked for.
/// - Precondition: shapes that fit, one sink for each query head, and `pairs` within `0..<B · Hq`.
/// - Complexity: O(B · Hq · Tq · Tk · (D + Dv)) time; O(Tq · Tk + Tk · (D + Dv)) memory beside the output.
@_specialize(where E == Float)
@_specialize(where E == Double)
@_specialize(where E == Float16)
@_specialize(where E == BFloat16)
public func naiveAttention<E: FloatingPointElement>(
  queries: Tensor<E>, keys: Tensor<E>, values: Tensor<E>, rules: ScoreRules = ScoreRules(),
  pairs: Range<Int>? = nil
) -> Tensor<E> {
  let sizes = ReferenceSizes(queries: queries.shape, keys: keys.shape, values: values.shape)
  let allPairs = 0..<sizes.batch * sizes.queryHeads
  let pairs = pairs ?? allPairs
  precondition(
    pairs.lowerBound >= 0 && pairs.upperBound <= allPairs.upperBound,
    "pairs \(pairs) of \(allPairs.upperBound) (sequence, head) pairs")
  rules.check(sizes)

  var output = Tensor<E>.zeros([sizes.batch, sizes.queryHeads, sizes.queryCount, sizes.valueWidth])
  output.withMutableView { view in
    for pair in pairs {
      let (b, h) = pair.quotientAndRemainder(dividingBy: sizes.queryHeads)
      let keyHead = h / (sizes.queryHeads / sizes.keyHeads)
      let q = queries.selected(axis: 0, b).selected(axis: 0, h)
      let k = keys.selected(axis: 0, b).selected(axis: 0, keyHead)
      let v = values.selected(axis: 0, b).selected(axis: 0, keyHead)
      let headRules = NaiveRules(
        scale: rules.scale ?? 1 / Double(sizes.width).squareRoot(), softcap: rules.softcap ?? 0,
        sink: rules.sinks?[h], isVisible: rules.isVisible.map { rule in { rule(b, h, $0, $1) } },
        bias: rules.bias.map { rule in { rule(b, h, $0, $1) } })
      let target = view.base + pair * sizes.queryCount * sizes.valueWidth
      if E.elementType == .float64 {
        attendOneHead(q, k, v, headRules, into: target, sumsIn: Double.self)
      } else {
        attendOneHead(q, k, v, headRules, into: target, sumsIn: Float.self)
      }
    }
  }
  return output
}

/// What turns the dot products of one head into weights.
private struct NaiveRules {
  let scale: Double
  /// 0 for none.
  let softcap: Double
  let sink: Double?
  let isVisible: ((_ query: Int, _ key: Int) -> Bool)?
  let bias: ((_ query: Int, _ key: Int) -> Double)?
}

/// The three steps for one head: `q [Tq, D]`, `k [Tk, D]`, `v [Tk, Dv]`, `output [Tq, Dv]` in row-major order.
private func attendOneHead<E: FloatingPointElement, Sum: NaiveSum>(
  _ queries: Tensor<E>, _ keys: Tensor<E>, _ values: Tensor<E>, _ rules: NaiveRules,
  into output: UnsafeMutablePointer<E>, sumsIn: Sum.Type
) {
  let (Tq, Tk, D, Dv) = (queries.shape[0], keys.shape[0], queries.shape[1], values.shape[1])
  let (scale, softcap) = (Sum(nearest: rules.scale), Sum(nearest: rules.softcap))
  let q = Matrix<Sum>(queries)
  // Keys with their axes swapped, [D, Tk]: the inner loop then runs over neighbouring keys, which a compiler may turn
  // into vector instructions without changing the order of any sum.
  let kT = Matrix<Sum>(keys.transposed())
  let v = Matrix<Sum>(values)
  let scores = Matrix<Sum>(rows: Tq, columns: Tk)
  let sums = Matrix<Sum>(rows: 1, columns: Dv)
  // Rows are pointers into these: they live to the end.
  defer { withExtendedLifetime((q, kT, v, scores, sums)) {} }

  // Step 1: s[i, j] = scale · Σ_d q[i, d] · k[j, d], bounded by the softcap; then what the caller adds and hides.
  for i in 0..<Tq {
    let s = scores.row(i)
    for d in 0..<D { addRow(kT.row(d), times: scale * q.row(i)[d], to: s, count: Tk) }
    if softcap > 0 { for j in 0..<Tk { s[j] = softcap * (s[j] / softcap).hyperbolicTangent } }
    if let bias = rules.bias { for j in 0..<Tk { s[j] += Sum(nearest: bias(i, j)) } }
    if let isVisible = rules.isVisible { for j in 0..<Tk where !isVisible(i, j) { s[j] = -.infinity } }
  }

  // Step 2: s[i, j] = exp(s[i, j] − max) / Σ_j exp(s[i, j] − max), the sink being one more term of the maximum and of the
  // sum. Without the maximum exp would overflow.
  for i in 0..<Tq {
    let s = scores.row(i)
    var maximum = -Sum.infinity
    for j in 0..<Tk { maximum = max(maximum, s[j]) }
    // Sees no key: its weights are 0, and so is its output.
    let sink = maximum == -.infinity ? nil : rules.sink.map { Sum(nearest: $0) }
    let shift = maximum == -.infinity ? 0 : max(maximum, sink ?? maximum)
    var sum = sink.map { ($0 - shift).exponential } ?? 0
    for j in 0..<Tk {
      s[j] = (s[j] - shift).exponential
      sum += s[j]
    }
    let divisor = sum == 0 ? 1 : sum
    for j in 0..<Tk { s[j] = rounded(s[j] / divisor, to: E.self) }
  }

  // Step 3: y[i, c] = Σ_j s[i, j] · v[j, c]
  for i in 0..<Tq {
    let (s, y) = (scores.row(i), sums.row(0))
    for c in 0..<Dv { y[c] = 0 }
    for j in 0..<Tk { addRow(v.row(j), times: s[j], to: y, count: Dv) }
    for c in 0..<Dv { output[i * Dv + c] = E(nearest: y[c].doubleValue) }
  }
}
