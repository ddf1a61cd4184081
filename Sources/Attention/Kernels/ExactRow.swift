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
  private let scoring: TileScoring<Scalar>
  private let keys: TileSource<Scalar>
  private let values: TileSource<Scalar>
  private let kernels: KernelTable

  init(_ problem: AttentionProblem, _ scoring: TileScoring<Scalar>, _ kernels: KernelTable) {
    self.problem = problem
    self.scoring = scoring
    self.keys = TileSource(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.values = TileSource(problem.values, columns: problem.sizes.valueDimension, kernels)
    self.kernels = kernels
  }

  /// Writes the row's output and log-sum-exp.
  func attend(_ index: RowIndex, _ block: RowBlock, _ visible: Range<Int>, into result: AttentionResult) {
    let width = problem.sizes.valueDimension
    let query = load(index)
    let softmax = softmax(query, index, block, visible)
    let isUndefined = softmax.isUndefined && !softmax.isEmpty
    var output = [Double](repeating: isUndefined ? .nan : 0, count: width)
    if !isUndefined && !softmax.isEmpty {
      var value = [Scalar](repeating: 0, count: width)
      forEachScore(query, index, block, visible) { key, score in
        let share = softmax.weight(score)
        values.read(block.sequence, block.keyValueHead, block.extent.keyStart + key, into: &value)
        for column in 0..<width { output[column] += share * Double(value[column]) }
      }
    }
    let row = output.map { Scalar($0) }
    _ = Scalar.run(
      Scalar.store(problem.elementType, kernels), into: result.row(index), stride: result.columnStride, row,
      width, factor: 1)
    result.setLogSumExp(Scalar(softmax.logSumExp), index)
  }

  /// Writes the row's weights: one for each of the `count` first keys, 0 for those it does not see.
  func weights(
    _ index: RowIndex, _ block: RowBlock, _ visible: Range<Int>, into weights: UnsafeMutablePointer<Scalar>,
    count: Int
  ) {
    let query = load(index)
    let softmax = softmax(query, index, block, visible)
    weights.update(repeating: 0, count: count)
    if softmax.isEmpty { return }
    forEachScore(query, index, block, visible) { key, score in
      weights[key] = Scalar(softmax.isUndefined ? .nan : softmax.weight(score))
    }
  }

  /// Computes scaled products of a row again, in Double, where one of them is not finite: sums overflow before they cancel.
  ///
  /// - Parameters:
  ///   - scores: those of `keys`, before any rule.
  ///   - keys: counted in the sequence.
  func repair(
    _ scores: UnsafeMutablePointer<Scalar>, of keys: Range<Int>, _ index: RowIndex, _ block: RowBlock
  ) {
    if !Scalar.areFinite(scores, keys.count, kernels) { products(into: scores, of: keys, index, block) }
  }

  /// The scaled products of a row with some keys, in Double, rounded once.
  func products(
    into scores: UnsafeMutablePointer<Scalar>, of keys: Range<Int>, _ index: RowIndex, _ block: RowBlock
  ) {
    let query = load(index)
    var key = query
    for i in 0..<keys.count {
      self.keys.read(
        block.sequence, block.keyValueHead, block.extent.keyStart + keys.lowerBound + i, into: &key)
      scores[i] = Scalar(problem.scale * product(query, key))
    }
  }

  private func product(_ query: [Scalar], _ key: [Scalar]) -> Double {
    var sum = 0.0
    for column in 0..<query.count { sum += Double(query[column]) * Double(key[column]) }
    return sum
  }

  private func load(_ index: RowIndex) -> [Scalar] {
    var query = [Scalar](repeating: 0, count: problem.sizes.headDimension)
    let row = problem.queries.row(index.sequence, index.head, index.row)
    let count = query.count
    Scalar.run(
      Scalar.load(problem.elementType, kernels), into: &query, row, stride: problem.queries.columnStride,
      count,
      factor: 1)
    return query
  }

  private func softmax(
    _ query: [Scalar], _ index: RowIndex, _ block: RowBlock, _ visible: Range<Int>
  ) -> ExactSoftmax {
    var softmax = ExactSoftmax(sink: problem.sinks?[index.head])
    forEachScore(query, index, block, visible) { _, score in softmax.see(score) }
    if softmax.hasNoSum || softmax.isEmpty { return softmax }
    forEachScore(query, index, block, visible) { _, score in softmax.sum += softmax.term(score) }
    return softmax
  }

  /// Calls `body` with each visible key and its score; keys that a mask hides are skipped before they are read.
  private func forEachScore(
    _ query: [Scalar], _ index: RowIndex, _ block: RowBlock, _ visible: Range<Int>,
    _ body: (Int, Double) -> Void
  ) {
    let row = index.head - block.heads.lowerBound + index.query * block.heads.count
    let place = row - block.rows.lowerBound
    var scratch: [Scalar] = [0, 0]
    var key = [Scalar](repeating: 0, count: query.count)
    for position in visible {
      let one = position..<position + 1
      // Biases on a score of 0 tell what they add, and whether they hide the key, whatever the score.
      var added: Scalar = 0
      scoring.addBiases(to: &added, one, index, block.extent, &scratch)
      scoring.hide(&added, one, index)
      if added == -.infinity { continue }
      keys.read(block.sequence, block.keyValueHead, block.extent.keyStart + position, into: &key)
      var score = problem.scale * product(query, key)
      if let softcap = problem.scoring.softcap { score = softcap * tanh(score / softcap) }
      score += Double(added)
      if !problem.scoring.modifiers.isEmpty {
        withUnsafeMutablePointer(to: &score) { pointer in
          let tile = ScoreBlock(pointer, rowStride: 1, keys: one, rows: place..<place + 1, of: block)
          for modifier in problem.scoring.modifiers { modifier.double(tile) }
        }
        if score == -.infinity { continue }
      }
      body(position, score)
    }
  }
}

/// The softmax of a row in Double, with an answer for infinite scores.
private struct ExactSoftmax {
  private let sink: Double?
  private var maximum = -Double.infinity
  private var infinities = 0
  private var hasNaN = false
  /// Of the terms of all keys.
  var sum = 0.0

  init(sink: Double?) { self.sink = sink }

  mutating func see(_ score: Double) {
    if score.isNaN { hasNaN = true }
    if score == .infinity { infinities += 1 }
    maximum = max(maximum, score)
  }

  /// Whether no score is above −∞: there is nothing to weigh.
  var isEmpty: Bool { maximum == -.infinity && !hasNaN }

  /// Whether scores alone leave the row undefined.
  var hasNoSum: Bool { hasNaN || infinities > 1 }

  /// ∞ − ∞ has no value: two scores of +∞ share the weight in no defined way, and so do one and a sink of +∞.
  var isUndefined: Bool {
    hasNoSum || sink?.isNaN == true || (infinities == 1 && sink == .infinity)
  }

  /// What a score contributes to the sum. A single +∞ takes all the weight.
  func term(_ score: Double) -> Double {
    infinities == 1 ? (score == .infinity ? 1 : 0) : exp(score - maximum)
  }

  func weight(_ score: Double) -> Double {
    guard let sink, infinities == 0 else { return term(score) / sum }
    // The larger of maximum and sink is the common scale: nothing overflows.
    let scale = max(maximum, sink)
    return exp(score - scale) / (sum * exp(maximum - scale) + (sink == scale ? 1 : exp(sink - scale)))
  }

  /// Without the sink.
  var logSumExp: Double {
    if hasNoSum { return .nan }
    return isEmpty ? -.infinity : maximum + log(sum)
  }
}
