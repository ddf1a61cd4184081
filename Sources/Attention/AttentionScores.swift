import Parallelism

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Temporary stand-in, to be replaced.
public enum ScoreStage: Sendable {
  /// s
  case scaled
  /// s
  case softcapped
  /// s
  case biased
  /// p
  case weights
}

/// Temporary stand-in, to be replaced: naive weights.
public func attentionScores<E: AttentionElement>(
  queries: Tensor<E>, keys: Tensor<E>, scale: Double? = nil, mask: AttentionMask = .none,
  options: AttentionOptions = AttentionOptions(), stage: ScoreStage = .weights, rows: Range<Int>? = nil,
  on pool: WorkerPool = .shared
) throws(AttentionError) -> Tensor<E.Accumulator> {
  precondition(stage == .weights, "the stand-in computes weights only")
  let inputs = AttentionInputs(queries: queries, keys: keys, values: keys)
  let problem = try AttentionProblem(inputs, scale: scale, mask: mask)
  let sizes = problem.sizes
  let rows = rows ?? 0..<sizes.queryCount
  guard rows.lowerBound >= 0, rows.upperBound <= sizes.queryCount else {
    throw AttentionError("rows", "\(rows) given, expected rows in 0..<\(sizes.queryCount)")
  }
  let q = queries.converted(to: Double.self).contiguous()
  let k = keys.converted(to: Double.self).contiguous()
  let masks = ScoreMasks<Double>(problem, KernelVariant.best.kernels)
  var result = Tensor<Double>.zeros([sizes.batch, sizes.queryHeads, rows.count, sizes.keyCount])
  let (Tq, Tk, D) = (sizes.queryCount, sizes.keyCount, sizes.headDimension)
  result.withMutableView { view in
    for b in 0..<sizes.batch {
      for h in 0..<sizes.queryHeads {
        for (n, i) in rows.enumerated() {
          let row = view.base + ((b * sizes.queryHeads + h) * rows.count + n) * Tk
          let kh = h / sizes.groupSize
          var scratch = [Double](repeating: 0, count: 2 * Tk)
          var scores = [Double](repeating: -.infinity, count: Tk)
          let visible = problem.visibility.visibleKeys(sequence: b, query: i)
          if visible.isEmpty { continue }
          var added = [Double](repeating: 0, count: visible.count)
          masks.apply(
            to: &added, keys: visible, row: RowIndex(sequence: b, head: h, query: i), scratch: &scratch)
          for j in visible where added[j - visible.lowerBound] != -.infinity {
            var sum = 0.0
            q.withUnsafePointer { q in
              k.withUnsafePointer { k in
                let a = q + ((b * sizes.queryHeads + h) * Tq + i) * D
                let c = k + ((b * sizes.keyValueHeads + kh) * Tk + j) * D
                for d in 0..<D { sum += a[d] * c[d] }
              }
            }
            sum *= problem.scale
            if let cap = options.softcap, cap > 0 { sum = cap * tanh(sum / cap) }
            scores[j] = sum + added[j - visible.lowerBound]
          }
          let maximum = scores.contains(where: \.isNaN) ? .nan : scores.max() ?? -.infinity
          if maximum == -.infinity { continue }
          let shift = max(maximum, options.sinks?[h] ?? -.infinity)
          var total = options.sinks.map { exp($0[h] - shift) } ?? 0
          for j in 0..<Tk where scores[j] != -.infinity { total += exp(scores[j] - shift) }
          for j in 0..<Tk where scores[j] != -.infinity { row[j] = exp(scores[j] - shift) / total }
        }
      }
    }
  }
  withExtendedLifetime((inputs, problem)) {}
  return result.converted(to: E.Accumulator.self)
}
