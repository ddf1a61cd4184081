import Attention
import AttentionReference

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The exact answer for one sequence of a draw, and the plain computation in its own type that says how exact a kernel has to be.
struct PropertyReference<E: AttentionElement> {
  let sequence: Int
  var oracle: AttentionOracle<E>
  var rules: PropertyProblem.Rules
  private let options: AttentionOptions
  private let groupSize: Int

  init(_ call: PropertyCall<E>, sequence b: Int) {
    let problem = call.problem
    let rules = problem.rules
    let (q, k, v) = call.inputs.sequence(b)
    var oracle = AttentionOracle(
      queries: q, keys: k, values: v,
      rules: ScoreRules(
        scale: problem.draw.scale, softcap: problem.draw.softcap, sinks: problem.sinks,
        isVisible: { rules.isVisible(b, $1, $2, $3) }))
    if !rules.biases.isEmpty { oracle.rules.bias = { rules.bias(b, $1, $2, $3) } }
    if !rules.modifiers.isEmpty { oracle.modifier = { rules.modified($0, b, $2, $3, $4) } }
    self.sequence = b
    self.oracle = oracle
    self.rules = rules
    self.options = problem.options
    self.groupSize = problem.draw.shape.heads.query / problem.draw.shape.heads.keyValue
  }

  /// The plain three steps for one query in the accumulation type, rounded to the inputs' where the textbook stores something;
  /// and the largest sum of magnitudes that went into a score, beside the largest value: what errors are proportional to.
  func naive(head: Int, query: Int) -> (output: [Double], scoreSize: Double, valueSize: Double) {
    E.elementType == .float64
      ? naive(head, query, sumsIn: Double.self) : naive(head, query, sumsIn: Float.self)
  }

  private func naive<Sum: BinaryFloatingPoint>(
    _ head: Int, _ query: Int, sumsIn: Sum.Type
  ) -> (output: [Double], scoreSize: Double, valueSize: Double) {
    let width = oracle.queries.shape[3]
    let q = row(oracle.queries, head, query).map { Sum($0) }
    let scale = oracle.rules.scale ?? 1 / Double(width).squareRoot()
    var (scoreSize, valueSize) = (0.0, 0.0)
    var (seen, scores): ([Int], [Sum]) = ([], [])
    for key in 0..<oracle.keys.shape[2] where rules.isVisible(sequence, head, query, key) {
      let bias = rules.bias(sequence, head, query, key)
      if bias == -.infinity { continue }
      let k = row(oracle.keys, head / groupSize, key)
      var (score, size): (Sum, Double) = (0, 0)
      for d in 0..<width {
        score += q[d] * Sum(k[d])
        size += abs(Double(q[d]) * k[d])
      }
      score *= Sum(scale)
      if let cap = options.softcap, cap > 0 { score = Sum(cap) * Sum(tanh(Double(score / Sum(cap)))) }
      score += Sum(bias)
      score = Sum(rules.modified(Double(score), sequence, head, query, key))
      if score == -.infinity { continue }
      seen.append(key)
      scores.append(score)
      let total = abs(scale) * size + abs(bias) + abs(Double(score))
      if total.isFinite { scoreSize = max(scoreSize, total) }
    }
    let sink = options.sinks.map { Sum($0[head]) } ?? -.infinity
    let maximum = scores.reduce(sink) { max($0, $1) }
    var sum: Sum = sink == -.infinity ? 0 : Sum(exp(Double(sink - maximum)))
    let weights = scores.map { Sum(exp(Double($0 - maximum))) }
    for weight in weights { sum += weight }
    var output = [Sum](repeating: 0, count: oracle.values.shape[3])
    for (key, weight) in zip(seen, weights) {
      let share = Sum(E(nearest: Double(weight / sum)).doubleValue)
      for (column, value) in row(oracle.values, head / groupSize, key).enumerated() {
        output[column] += share * Sum(value)
        if value.isFinite { valueSize = max(valueSize, abs(value)) }
      }
    }
    return (output.map { E(nearest: Double($0)).doubleValue }, scoreSize, valueSize)
  }

  private func row(_ tensor: Tensor<E>, _ head: Int, _ position: Int) -> [Double] {
    let strides = tensor.strides
    return tensor.withUnsafePointer { base in
      let start = base + head * strides[1] + position * strides[2]
      return (0..<tensor.shape[3]).map { start[$0 * strides[3]].doubleValue }
    }
  }
}
