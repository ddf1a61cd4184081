import CAttentionKernels

/// Query rows on their way through tiles of keys, each with its running softmax and its output so far: what all kernels that hold scores
/// as rows do between the two products, before them and after them.
struct TileRows<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let rows: RowKernels<Scalar>
  private let scoring: TileScoring<Scalar>
  private let queryFactor: Scalar

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable, queryFactor: Scalar) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.rows = RowKernels(kernels)
    self.scoring = TileScoring(problem.scoring, kernels)
    self.queryFactor = queryFactor
  }

  /// Loads the block's queries and finds the keys that each row sees; resets the running softmax.
  func prepare(_ block: RowBlock, _ work: TileWorkspace<Scalar>) -> KeyExtent {
    let depth = problem.sizes.headDimension
    let extent = findRanges(block, work)
    let load = rows.load(problem.elementType)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      result.prefetch(index, columns: problem.sizes.valueDimension)
      work.softmax.reset(row)
      load(
        work.queries + row * depth, problem.queries.row(index.sequence, index.head, index.row),
        problem.queries.columnStride, depth, Double(queryFactor))
    }
    return extent
  }

  /// Finds the keys that each row sees.
  @discardableResult
  func findRanges(_ block: RowBlock, _ work: TileWorkspace<Scalar>) -> KeyExtent {
    problem.findRanges(block, work.ranges)
  }

  /// Scores of a tile become weights, by the problem's rules and the running softmax.
  ///
  /// With rules, some rows at a time: rules and softmax each pass over them, and find them in the first-level cache.
  func weigh(
    _ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock, _ work: TileWorkspace<Scalar>
  ) {
    if hasNoRules { return weigh(keys, rows, work) }
    let exact = ExactProducts(problem, kernels)
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.rowsInCache) {
      let part = first..<min(first + Self.rowsInCache, rows.upperBound)
      score(keys, part, of: block, work, exact)
      weigh(keys, part, work)
    }
  }

  /// Products of a tile become scores, by the problem's rules; those of keys that a row does not see become −∞.
  func score(_ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock, _ work: TileWorkspace<Scalar>) {
    if !hasNoRules { score(keys, rows, of: block, work, ExactProducts(problem, kernels)) }
    for row in rows {
      let scores = work.scores + row * work.scoreStride
      // Rules of a user may leave rows between others nothing of a tile.
      let begin = min(Int(work.tileBegin[row]), keys.count)
      let end = max(begin, min(Int(work.tileEnd[row]), keys.count))
      scores.update(repeating: -.infinity, count: begin)
      (scores + end).update(repeating: -.infinity, count: keys.count - end)
    }
  }

  private var hasNoRules: Bool { scoring.isEmpty && !problem.hasHoles }

  private func score(
    _ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock, _ work: TileWorkspace<Scalar>,
    _ exact: ExactProducts
  ) {
    let first = rows.lowerBound
    let tile = ScoredTile(
      scores: work.scoreRows(from: first), keys: keys, rows: rows, block: block,
      seen: SeenKeys(work.ranges.begin + first, work.ranges.end + first), scratch: work.biasRows)
    scoring.apply(to: tile, exact)
    hideHoles(keys, rows, work)
  }

  private func weigh(_ keys: Range<Int>, _ part: Range<Int>, _ work: TileWorkspace<Scalar>) {
    let first = part.lowerBound
    let tile = ScoreTile(
      scores: work.scoreRows(from: first), rows: part.count, columns: keys.count,
      seen: SeenKeys(work.tileBegin + first, work.tileEnd + first),
      hidesByInfinity: !scoring.isEmpty || problem.hasHoles)
    rows.softmaxTile(tile, work.softmax.from(first))
  }

  /// Writes −∞ to scores of keys in the holes of rows.
  private func hideHoles(_ keys: Range<Int>, _ rows: Range<Int>, _ work: TileWorkspace<Scalar>) {
    if !problem.hasHoles { return }
    for row in rows {
      let hidden = work.ranges.hole(row).clamped(to: keys)
      let scores = work.scores + row * work.scoreStride + hidden.lowerBound - keys.lowerBound
      scores.update(repeating: -.infinity, count: hidden.count)
    }
  }

  /// 16 rows of 256 Floats are 16 KiB, half of the smallest first-level cache; the softmax takes as many rows as a vector has lanes.
  private static var rowsInCache: Int { 16 }

  /// The rows between the first and the last that see any of these keys; sets what each sees of the tile.
  func rowsSeeing(
    _ keys: Range<Int>, of block: RowBlock, _ work: TileWorkspace<Scalar>
  ) -> Range<Int> {
    let (lower, upper) = (
      Int32(truncatingIfNeeded: keys.lowerBound), Int32(truncatingIfNeeded: keys.upperBound)
    )
    let (ranges, hasHoles) = (work.ranges, problem.hasHoles)
    var first = block.rows.count
    var last = -1
    for row in 0..<block.rows.count {
      var begin = max(ranges.begin[row], lower)
      let end = min(ranges.end[row], upper)
      if hasHoles && ranges.holeBegin[row] <= begin { begin = max(begin, ranges.holeEnd[row]) }
      work.tileBegin[row] = begin - lower
      work.tileEnd[row] = max(begin, end) - lower
      if begin < end {
        first = min(first, row)
        last = row
      }
    }
    return first..<max(first, last + 1)
  }

  /// Divides by the sums and writes the rows out; rows that tiles got wrong are computed again, exactly.
  ///
  /// - Parameter probe: how many scores of a row the workspace holds.
  func finish(_ block: RowBlock, probe: Int, _ work: TileWorkspace<Scalar>) {
    let width = problem.sizes.valueDimension
    let store = rows.store(problem.elementType)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      let target = result.row(index)
      let output = work.output + row * width
      let visible = VisibleKeys(
        range: work.ranges.range(row), hole: problem.hasHoles ? work.ranges.hole(row) : 0..<0)
      if !work.softmax.isEmpty(row) {
        let sink = problem.sinks.map { Scalar($0[index.head]) } ?? -.infinity
        let factor = work.softmax.normalizer(row, sink: sink)
        if store(target, result.columnStride, output, width, Double(factor)) != 0 {
          result.setLogSumExp(work.softmax.logSumExp(row), index)
          continue
        }
      } else if scoring.hidesAll(
        visible, of: index, width: probe, probe: work.scores, scratch: work.biasRows)
      {
        // What the product left in the row may be 0 · NaN.
        output.update(repeating: 0, count: width)
        _ = store(target, result.columnStride, output, width, 1)
        result.setLogSumExp(-Scalar.infinity, index)
        continue
      }
      // Something is not finite, or every score of a key that nothing hides is −∞: finite ones may have overflowed.
      ExactRow(problem, kernels).attend(row, of: block, visible, into: result)
    }
  }
}
