import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The exact answer of attention, in Double, by definition: what every kernel is compared with.
///
///     s[j] = scale · (q · k[j])                        scale defaults to 1/√D
///     s[j] = softcap · tanh(s[j] / softcap)            where softcap > 0
///     s[j] += bias[j]
///     s[j] = modifier(s[j], j)                         where one is given
///     p[j] = exp(s[j]) / (Σ_j exp(s[j]) + exp(sink))   over the visible keys; the sink only where sinks are given
///     y    = Σ_j p[j] · v[j]
///     lse  = ln Σ_j exp(s[j])                          natural log; a sink is not counted
///
/// One row of one head at a time, one key after the other; slow, and meant to be read.
///
/// Edges:
/// * A key that is not visible, or whose bias is −∞, is never read: nothing in it or in its value reaches a result. Nor
///   does anything in the value of a key that the modifier leaves with −∞.
/// * A row that sees no key, or only scores of −∞, gives weights 0, output 0 and lse −∞, with or without a sink.
/// * A single score of +∞ takes all the weight, and lse is +∞. Several leave the weights undefined: NaN, and so is lse.
/// * NaN in a visible score gives NaN in the whole row; NaN or ∞ in a visible value reaches its own column only.
public struct AttentionOracle<E: FloatingPointElement> {
  /// `[B, Hq, Tq, D]`
  public let queries: Tensor<E>
  /// `[B, Hkv, Tk, D]`
  public let keys: Tensor<E>
  /// `[B, Hkv, Tk, Dv]`
  public let values: Tensor<E>
  /// Scale, softcap, sinks, visibility and bias.
  public var rules: ScoreRules
  /// What a score becomes after the bias, from what it was; nil leaves it. −∞ hides the key.
  public var modifier: ((_ score: Double, _ sequence: Int, _ head: Int, _ query: Int, _ key: Int) -> Double)?

  private let sizes: ReferenceSizes

  /// An oracle for these inputs, read exactly as Double.
  ///
  /// - Precondition: shapes that fit, and one sink for each query head where sinks are given.
  public init(
    queries: Tensor<E>, keys: Tensor<E>, values: Tensor<E>, rules: ScoreRules = ScoreRules()
  ) {
    sizes = ReferenceSizes(queries: queries.shape, keys: keys.shape, values: values.shape)
    rules.check(sizes)
    self.queries = queries
    self.keys = keys
    self.values = values
    self.rules = rules
  }

  /// The output `[Dv]` and the log-sum-exp of one query.
  public func row(sequence: Int, head: Int, query: Int) -> (output: [Double], logSumExp: Double) {
    let (seen, weights, logSumExp) = attend(sequence, head, query)
    var output = [Double](repeating: 0, count: sizes.valueWidth)
    for (key, weight) in zip(seen, weights) {
      let value = vector(values, sequence, keyHead(of: head), key)
      for column in output.indices { output[column] += weight * value[column] }
    }
    // A row whose scores are all −∞ has no average: it counts as one that sees no key, whatever its values.
    return (logSumExp == -.infinity ? output.map { _ in 0 } : output, logSumExp)
  }

  /// The score of each of the `Tk` keys for one query, after bias and modifier; −∞ for those it does not see.
  public func scores(sequence: Int, head: Int, query: Int) -> [Double] {
    let (seen, scores) = score(sequence, head, query)
    var all = [Double](repeating: -.infinity, count: sizes.keyCount)
    for (key, score) in zip(seen, scores) { all[key] = score }
    return all
  }

  /// The weight of each of the `Tk` keys for one query; 0 for those it does not see.
  public func weights(sequence: Int, head: Int, query: Int) -> [Double] {
    let (seen, weights, _) = attend(sequence, head, query)
    var all = [Double](repeating: 0, count: sizes.keyCount)
    for (key, weight) in zip(seen, weights) { all[key] = weight }
    return all
  }

  /// Output `[B, Hq, Tq, Dv]` and log-sum-exp `[B, Hq, Tq]` of all queries.
  public func all() -> (output: Tensor<Double>, logSumExp: Tensor<Double>) {
    let rows: Shape = [sizes.batch, sizes.queryHeads, sizes.queryCount]
    var logSumExps: [Double] = []
    let output = Tensor<Double>(unsafeUninitializedShape: Shape(Array(rows) + [sizes.valueWidth])) { target in
      var next = 0
      for sequence in 0..<sizes.batch {
        for head in 0..<sizes.queryHeads {
          for query in 0..<sizes.queryCount {
            let (output, logSumExp) = row(sequence: sequence, head: head, query: query)
            for value in output {
              target.initializeElement(at: next, to: value)
              next += 1
            }
            logSumExps.append(logSumExp)
          }
        }
      }
    }
    let logSumExp = Tensor<Double>(unsafeUninitializedShape: rows) {
      _ = $0.initialize(fromContentsOf: logSumExps)
    }
    return (output, logSumExp)
  }
}

// MARK: - One row

extension AttentionOracle {
  /// The keys that one query sees, their weights, and the log-sum-exp of their scores.
  private func attend(_ sequence: Int, _ head: Int, _ query: Int) -> (seen: [Int], [Double], Double) {
    let (seen, scores) = score(sequence, head, query)
    let (weights, logSumExp) = softmax(scores, sink: rules.sinks?[head])
    return (seen, weights, logSumExp)
  }

  /// The keys that one query sees, and their scores.
  private func score(_ sequence: Int, _ head: Int, _ query: Int) -> (seen: [Int], [Double]) {
    let q = vector(queries, sequence, head, query)
    let scale = rules.scale ?? 1 / Double(sizes.width).squareRoot()
    var seen: [Int] = []
    var scores: [Double] = []
    for key in 0..<sizes.keyCount where rules.isVisible?(sequence, head, query, key) ?? true {
      let added = rules.bias?(sequence, head, query, key) ?? 0
      if added == -.infinity { continue }
      let k = vector(keys, sequence, keyHead(of: head), key)
      var score = scale * zip(q, k).reduce(0) { $0 + $1.0 * $1.1 }
      if let softcap = rules.softcap, softcap > 0 { score = softcap * tanh(score / softcap) }
      score += added
      if let modifier {
        score = modifier(score, sequence, head, query, key)
        if score == -.infinity { continue }
      }
      seen.append(key)
      scores.append(score)
    }
    return (seen, scores)
  }

  private func softmax(_ scores: [Double], sink: Double?) -> (weights: [Double], logSumExp: Double) {
    func all(_ weight: Double) -> [Double] { scores.map { _ in weight } }
    if scores.contains(where: \.isNaN) { return (all(.nan), .nan) }
    let maximum = scores.max() ?? -.infinity
    if maximum == -.infinity { return (all(0), -.infinity) }
    if maximum == .infinity {
      let isAlone = scores.filter { $0 == .infinity }.count == 1
      // A sink of +∞ beside a score of +∞ is as undefined as two such scores, but lse does not count it.
      let isDecided = isAlone && !(sink?.isNaN ?? false) && sink != .infinity
      return (isDecided ? scores.map { $0 == .infinity ? 1 : 0 } : all(.nan), isAlone ? .infinity : .nan)
    }
    let logSumExp = maximum + log(scores.reduce(0) { $0 + exp($1 - maximum) })
    // The common factor exp(−shift) cancels out; the largest term being 1, nothing overflows.
    let shift = sink.map { max(maximum, $0) } ?? maximum
    let exponentials = scores.map { exp($0 - shift) }
    let sum = exponentials.reduce(0, +) + (sink.map { $0 == shift ? 1 : exp($0 - shift) } ?? 0)
    return (exponentials.map { $0 / sum }, logSumExp)
  }

  /// The key and value head that a query head reads.
  private func keyHead(of head: Int) -> Int { head / (sizes.queryHeads / sizes.keyHeads) }

  /// The vector at `[sequence, head, position]`.
  private func vector(_ tensor: Tensor<E>, _ sequence: Int, _ head: Int, _ position: Int) -> [Double] {
    let strides = tensor.strides
    let start = sequence * strides[0] + head * strides[1] + position * strides[2]
    return tensor.withUnsafePointer { base in
      (0..<tensor.shape[3]).map { base[start + $0 * strides[3]].doubleValue }
    }
  }
}
