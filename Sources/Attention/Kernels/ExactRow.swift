import CAttentionKernels

/// One query row, computed key by key and touching nothing that the query does not see.
///
/// The tiles let `0 · NaN` through: a hidden key's weight is 0, but 0 times a NaN or ∞ in its value is NaN. Rows that come
/// out non-finite are therefore computed again here, where hidden keys and values are never read. It is rare and slow: two
/// passes over the visible keys, one for the maximum and one for the sums, with a few numbers of memory.
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
    let depth = problem.sizes.headDimension
    let width = problem.sizes.valueDimension
    var query = [Scalar](repeating: 0, count: depth)
    Scalar.run(
      load, into: &query, problem.queries.row(index.sequence, index.head, index.query),
      stride: problem.queries.columnStride, depth, factor: Scalar(problem.scale))

    var maximum = -Scalar.infinity
    var infinities = 0
    var isUndefined = false
    forEachScore(query, index, visible) { _, score in
      if score.isNaN { isUndefined = true }
      if score == .infinity { infinities += 1 }
      maximum = max(maximum, score)
    }
    // ∞ − ∞ has no value: two scores of +∞ share the weight in no defined way.
    if infinities > 1 { isUndefined = true }

    var output = [Scalar](repeating: isUndefined ? .nan : 0, count: width)
    var sum: Scalar = 0
    if !isUndefined && maximum > -.infinity {
      var value = [Scalar](repeating: 0, count: width)
      forEachScore(query, index, visible) { key, score in
        // A single +∞ takes all the weight; a score of −∞ has none, and its value is not part of the sum.
        let weight: Scalar
        if infinities == 1 {
          weight = score == .infinity ? 1 : 0
        } else {
          // A weight too small for its type still is not 0: an infinite value keeps its infinity.
          weight = score == -.infinity ? 0 : max(Scalar.exp(score - maximum), .leastNonzeroMagnitude)
        }
        if weight == 0 { return }
        Scalar.run(
          load, into: &value, row(problem.values, index, key), stride: problem.values.columnStride,
          width, factor: 1)
        for column in 0..<width { output[column] += weight * value[column] }
        sum += weight
      }
      for column in 0..<width { output[column] /= sum }
    }
    _ = Scalar.run(
      store, into: result.row(index.sequence, index.head, index.query), stride: result.columnStride,
      output, width, factor: 1)
    let logSumExp = isUndefined ? Scalar.nan : sum == 0 ? -.infinity : maximum + Scalar.log(sum)
    result.setLogSumExp(logSumExp, index)
  }

  /// Calls `body` with each visible key and its score; keys that a mask hides are skipped before they are read.
  private func forEachScore(
    _ query: [Scalar], _ index: RowIndex, _ visible: Range<Int>, _ body: (Int, Scalar) -> Void
  ) {
    var key = [Scalar](repeating: 0, count: query.count)
    for position in visible {
      // Adding a mask to 0 tells whether the mask alone hides the key, whatever its score.
      var added: Scalar = 0
      var scratch: Scalar = 0
      masks.apply(to: &added, keys: position..<position + 1, row: index, scratch: &scratch)
      if added == -.infinity { continue }
      Scalar.run(
        load, into: &key, row(problem.keys, index, position), stride: problem.keys.columnStride,
        query.count, factor: 1)
      var score: Scalar = 0
      for column in 0..<query.count { score += query[column] * key[column] }
      body(position, score + added)
    }
  }

  private func row(_ operand: StridedOperand, _ index: RowIndex, _ position: Int) -> UnsafeRawPointer {
    operand.row(index.sequence, index.head / problem.sizes.groupSize, position)
  }
}
