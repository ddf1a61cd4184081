import CAttentionKernels
import LinearAlgebra

/// One query row, computed in Double without a look at the values that the query does not see.
///
/// Tiles go wrong in two ways, and both leave a row that is not finite. They let `0 · NaN` through: a hidden key's weight is 0, but
/// 0 times a NaN or ∞ in its value is NaN. And finite numbers can overflow on the way: products before they cancel, sums of
/// values before they are divided. Such rows are computed again here: hidden values are never read, dot products and
/// sums are in Double, and weights are divided before they meet values.
///
/// It is rare, and slow: plain loops over the visible keys, and a Double for each. A call whose rows all come here takes up to some
/// hundred times as long.
struct ExactRow {
  private let problem: AttentionProblem
  private let products: ExactProducts
  private let scoring: TileScoring<Double>
  private let values: TileSource<Double>
  private let kernels: KernelTable

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.problem = problem
    self.products = ExactProducts(problem, kernels)
    self.scoring = TileScoring(problem.scoring, kernels)
    self.values = TileSource(problem.values, columns: problem.sizes.valueDimension, kernels)
    self.kernels = kernels
  }

  /// Writes the row's output and log-sum-exp.
  ///
  /// - Parameters:
  ///   - row: counted in the block.
  ///   - visible: the keys that ranges leave to it.
  func attend(_ row: Int, of block: RowBlock, _ visible: VisibleKeys, into result: AttentionResult) {
    let index = block.index(row)
    let width = problem.sizes.valueDimension
    let scores = scores(row, of: block, visible)
    let softmax = ExactSoftmax(scores, sink: problem.sinks?[index.head])
    let isUndefined = softmax.isUndefined && !softmax.isEmpty
    var output = [Double](repeating: isUndefined ? .nan : 0, count: width)
    if !isUndefined && !softmax.isEmpty {
      var value = [Double](repeating: 0, count: width)
      for (place, score) in scores.enumerated() where score != hidden {
        let weight = softmax.weight(score)
        values.read(block.sequence, block.keyValueHead, visible.range.lowerBound + place, into: &value)
        for column in 0..<width { output[column] += weight * value[column] }
      }
    }
    _ = RowKernels<Double>(kernels).store(problem.elementType)(
      result.row(index), result.columnStride, output, width, 1)
    result.setLogSumExp(softmax.logSumExp, index)
  }

  /// Writes the row's weights: one for each of the `count` first keys, 0 for those it does not see.
  func weights<Scalar: AttentionAccumulator>(
    _ row: Int, of block: RowBlock, _ visible: VisibleKeys, into weights: UnsafeMutablePointer<Scalar>,
    count: Int
  ) {
    let scores = scores(row, of: block, visible)
    let softmax = ExactSoftmax(scores, sink: problem.sinks?[block.index(row).head])
    weights.update(repeating: 0, count: count)
    if softmax.isEmpty { return }
    for (place, score) in scores.enumerated() where score != hidden {
      weights[visible.range.lowerBound + place] = Scalar(softmax.isUndefined ? .nan : softmax.weight(score))
    }
  }

  /// The scores of a row, ``hidden`` where a tensor or a modifier hides the key, or where it lies in a hole.
  private func scores(_ row: Int, of block: RowBlock, _ keys: VisibleKeys) -> [Double?] {
    let visible = keys.range
    let query = products.query(block.index(row))
    var scores: [Double?] = []
    scores.reserveCapacity(visible.count)
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * Self.keysAtOnce) { buffer in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2) { ends in
        guard let memory = buffer.baseAddress, let ends = ends.baseAddress else { return }
        for first in stride(from: visible.lowerBound, to: visible.upperBound, by: Self.keysAtOnce) {
          let keys = first..<min(first + Self.keysAtOnce, visible.upperBound)
          products.forEach(query, block, keys) { place, product in memory[place] = product }
          ends[0] = Int32(truncatingIfNeeded: keys.lowerBound)
          ends[1] = Int32(truncatingIfNeeded: keys.upperBound)
          let tile = ScoredTile(
            scores: MutableMatrixOperand(memory, leadingDimension: Self.keysAtOnce), keys: keys,
            rows: row..<row + 1, block: block, seen: SeenKeys(ends, ends + 1),
            scratch: memory + 2 * Self.keysAtOnce)
          score(tile, probe: memory + Self.keysAtOnce, into: &scores)
        }
      }
    }
    for key in keys.hole { scores[key - visible.lowerBound] = hidden }
    return scores
  }

  /// Runs the score program on a row's products, and finds which keys it hides.
  private func score(
    _ tile: ScoredTile<Double>, probe: UnsafeMutablePointer<Double>, into scores: inout [Double?]
  ) {
    scoring.apply(to: tile, products)
    // A score of 0 becomes −∞ exactly where a tensor hides the key; one that is −∞ by itself hides nothing.
    probe.update(repeating: 0, count: tile.keys.count)
    scoring.hide(
      ScoredRow(
        scores: probe, keys: tile.keys, index: tile.block.index(tile.rows.lowerBound), position: 0,
        scratch: tile.scratch))
    let isModified = problem.scoring.hasModifiers
    for place in 0..<tile.keys.count {
      let isHidden = probe[place] == -.infinity || (isModified && tile.scores.base[place] == -.infinity)
      scores.append(isHidden ? hidden : tile.scores.base[place])
    }
  }

  /// Scores and what they need beside them take 16 KiB: half of the smallest first-level cache.
  private static let keysAtOnce = 512
}

/// What stands for the score of a key that the query does not see.
private let hidden: Double? = nil
