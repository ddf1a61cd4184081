import Attention
import AttentionReference

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A problem with queries of one type, computed by attention and by the oracle.
struct ProblemCall<E: AttentionElement> {
  let problem: Problem
  let storage: ProblemStorage
  private let queries: Tensor<E>
  private let attend: ScaledDotProductAttention

  init(_ input: inout InputBytes, _ problem: Problem) throws(AttentionError) {
    self.problem = problem
    storage = ProblemStorage(&input, problem, isDouble: E.elementType == .float64)
    let shape: Shape = [problem.batch, problem.queryHeads, problem.queries, problem.depth]
    queries = try Tensor(
      problem.elements(0, shape.reduce(1, *)).map { E(nearest: $0) }, shape: shape)
    attend = ScaledDotProductAttention(
      scale: problem.scale, mask: try problem.mask(),
      options: AttentionOptions(softcap: problem.softcap, sinks: problem.sinks),
      on: Pools.all[input.int(0...2)])
  }

  /// Output `[B, Hq, Tq, Dv]` and log-sum-exp `[B, Hq, Tq]`.
  typealias Results = (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>)

  /// - Throws: what attention throws, which it must not, and a ``FuzzFault`` where a result is wrong.
  func check() throws {
    let results = try run(storage.keyValues(), attend)
    try compareWithOracle(results)
    // The same bits on another number of threads, from one tensor.
    var other = attend
    other.pool = attend.pool.threadCount == 1 ? Pools.all[2] : Pools.all[0]
    let twin = try run(storage.part(0..<problem.keys), other)
    for (a, b) in zip(results.output.elements, twin.output.elements) {
      let (a, b) = (a.doubleValue, b.doubleValue)
      try require(
        a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN),
        "\(a) from \(storage.source), and \(b) from a tensor on \(other.pool.threadCount) threads")
    }
  }

  private func run(_ keyValues: KeyValues, _ attend: ScaledDotProductAttention) throws -> Results {
    guard storage.packsQueries else {
      return try attend.withLogSumExp(.padded(queries, lengths: problem.queryLengths), keyValues)
    }
    let (B, Hq, Tq) = (problem.batch, problem.queryHeads, problem.queries)
    let rows = (0..<B).flatMap { b in (0..<problem.queryLengths[b]).map { (b, $0) } }
    let elements = queries.elements
    let packed = try Tensor(
      rows.flatMap { b, i in
        (0..<Hq).flatMap { h in
          let start = ((b * Hq + h) * Tq + i) * problem.depth
          return elements[start..<start + problem.depth]
        }
      }, shape: [rows.count, Hq, problem.depth])
    let (output, sums) = try attend.withLogSumExp(.packed(packed, lengths: problem.queryLengths), keyValues)
    var results: Results = (
      .zeros([B, Hq, Tq, problem.width]), Tensor(repeating: -.infinity, shape: [B, Hq, Tq])
    )
    let (outputs, logSumExps) = (output.elements, sums.elements)
    results.output.withMutableView { view in
      for (row, (b, i)) in rows.enumerated() {
        for h in 0..<Hq {
          for c in 0..<problem.width { view[b, h, i, c] = outputs[(row * Hq + h) * problem.width + c] }
        }
      }
    }
    results.logSumExp.withMutableView { view in
      for (row, (b, i)) in rows.enumerated() {
        for h in 0..<Hq { view[b, h, i] = logSumExps[h * rows.count + row] }
      }
    }
    return results
  }

  private func compareWithOracle(_ results: Results) throws {
    let (keys, values) = (storage.keys, storage.values)
    let exact = AttentionOracle<Double>(
      queries: queries.converted(to: Double.self), keys: try Tensor(keys.exact, shape: keys.shape),
      values: try Tensor(values.exact, shape: values.shape), rules: problem.definition)
    let (output, logSumExp) = exact.all()
    let tolerance = try ProblemTolerance(problem, storage, queries: queries, exact, output)
    if let mismatch = tolerance.output.worstMismatch(results.output, expected: output) {
      throw FuzzFault("output \(mismatch), within \(tolerance.output); \(try description())")
    }
    if let mismatch = tolerance.logSumExp.worstMismatch(results.logSumExp, expected: logSumExp) {
      throw FuzzFault("log-sum-exp \(mismatch), within \(tolerance.logSumExp); \(try description())")
    }
  }

  private func description() throws -> String {
    "\(E.self), \(storage.keys.type) keys, \(storage.values.type) values, \(problem)\n"
      + "\(try attend.plan(queries, storage.part(0..<problem.keys)))"
  }
}
