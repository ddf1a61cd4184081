import CAttentionKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One query row, computed key by key in Double and touching nothing that the query does not see.
///
/// Tiles go wrong in two ways, and both leave a row that is not finite. They let `0 · NaN` through: a hidden key's weight is 0, but
/// 0 times a NaN or ∞ in its value is NaN. And finite numbers can overflow on the way: products before they cancel, sums of
/// values before they are divided. Such rows are computed again here: hidden keys and values are never read, dot products and
/// sums are in Double, and weights are divided before they meet values.
///
/// It is rare, and slow: three passes over the visible keys with plain loops. A call whose rows all come here takes up to some
/// hundred times as long.
struct ExactRow<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let masks: ScoreMasks<Scalar>
  private let load: Scalar.Load
  private let store: Scalar.Store

  init(_ problem: AttentionProblem, _ masks: ScoreMasks<Scalar>, _ kernels: KernelTable) {
    self.problem = problem
    self.masks = masks
    self.load = Scalar.load(problem.elementType, kernels)
    self.store = Scalar.store(problem.elementType, kernels)
  }

  func attend(_ index: RowIndex, _ visible: Range<Int>, into result: AttentionResult) {
    let width = problem.sizes.valueDimension
    var query = [Scalar](repeating: 0, count: problem.sizes.headDimension)
    read(problem.queries, index.head, index.query, index, into: &query)

    var maximum = -Double.infinity
    var infinities = 0
    var isUndefined = false
    forEachScore(query, index, visible) { _, score in
      if score.isNaN { isUndefined = true }
      if score == .infinity { infinities += 1 }
      maximum = max(maximum, score)
    }
    // ∞ − ∞ has no value: two scores of +∞ share the weight in no defined way.
    if infinities > 1 { isUndefined = true }

    // A single +∞ takes all the weight.
    func weight(_ score: Double) -> Double {
      infinities == 1 ? (score == .infinity ? 1 : 0) : exp(score - maximum)
    }
    var output = [Double](repeating: isUndefined ? .nan : 0, count: width)
    var sum = 0.0
    if !isUndefined && maximum > -.infinity {
      forEachScore(query, index, visible) { _, score in sum += weight(score) }
      var value = [Scalar](repeating: 0, count: width)
      forEachScore(query, index, visible) { key, score in
        let share = weight(score) / sum
        read(problem.values, keyValueHead(index), key, index, into: &value)
        for column in 0..<width { output[column] += share * Double(value[column]) }
      }
    }
    let row = output.map { Scalar($0) }
    _ = Scalar.run(
      store, into: result.row(index.sequence, index.head, index.query), stride: result.columnStride, row,
      width, factor: 1)
    let logSumExp = isUndefined ? Double.nan : sum == 0 ? -.infinity : maximum + log(sum)
    result.setLogSumExp(Scalar(logSumExp), index)
  }

  /// Calls `body` with each visible key and its score; keys that a mask hides are skipped before they are read.
  private func forEachScore(
    _ query: [Scalar], _ index: RowIndex, _ visible: Range<Int>, _ body: (Int, Double) -> Void
  ) {
    var scratch: [Scalar] = [0, 0]
    var key = [Scalar](repeating: 0, count: query.count)
    for position in visible {
      // A mask on a score of 0 tells what it adds, and whether it hides the key, whatever the score.
      var added: Scalar = 0
      masks.apply(to: &added, keys: position..<position + 1, row: index, scratch: &scratch)
      if added == -.infinity { continue }
      read(problem.keys, keyValueHead(index), position, index, into: &key)
      var product = 0.0
      for column in 0..<query.count { product += Double(query[column]) * Double(key[column]) }
      body(position, problem.scale * product + Double(added))
    }
  }

  /// Reads one row of an operand, in the accumulation type.
  private func read(
    _ operand: StridedOperand, _ head: Int, _ position: Int, _ index: RowIndex, into target: inout [Scalar]
  ) {
    let count = target.count
    Scalar.run(
      load, into: &target, operand.row(index.sequence, head, position), stride: operand.columnStride, count,
      factor: 1)
  }

  private func keyValueHead(_ index: RowIndex) -> Int { index.head / problem.sizes.groupSize }
}
