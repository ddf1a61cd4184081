import CAttentionKernels

/// Query rows on their way through tiles of keys, each with its running softmax and its output so far: what all kernels that hold scores
/// as rows do between the two products, before them and after them.
struct TileRows<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let result: AttentionResult
  private let kernels: KernelTable
  private let scoring: TileScoring<Scalar>
  private let exact: ExactRow<Scalar>
  /// One a query head; nil where none is given.
  private let sinks: [Scalar]?
  private let loadQueries: Scalar.Load
  private let queryFactor: Scalar
  private let store: Scalar.Store

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable, queryFactor: Scalar) {
    self.problem = problem
    self.result = result
    self.kernels = kernels
    self.scoring = TileScoring(problem.scoring, kernels)
    self.exact = ExactRow(problem, scoring, kernels)
    self.sinks = problem.sinks.map { $0.map { Scalar($0) } }
    self.queryFactor = queryFactor
    self.loadQueries = Scalar.load(problem.elementType, kernels)
    self.store = Scalar.store(problem.elementType, kernels)
  }

  /// Loads the block's queries and finds the keys that each row sees; resets the running softmax.
  func prepare(_ block: RowBlock, _ work: TileWorkspace<Scalar>) -> KeyExtent {
    let depth = problem.sizes.headDimension
    let extent = findRanges(block, work)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      result.prefetch(index, columns: problem.sizes.valueDimension)
      work.softmax.reset(row)
      Scalar.run(
        loadQueries, into: work.queries + row * depth,
        problem.queries.row(index.sequence, index.head, index.row),
        stride: problem.queries.columnStride, depth, factor: queryFactor)
    }
    return extent
  }

  /// Finds the keys that each row sees.
  @discardableResult
  func findRanges(_ block: RowBlock, _ work: TileWorkspace<Scalar>) -> KeyExtent {
    problem.findRanges(block, begin: work.begin, end: work.end)
  }

  /// Scores of a tile become weights, by the problem's rules and the running softmax.
  ///
  /// With rules, some rows at a time: rules and softmax each pass over them, and find them in the first-level cache.
  func weigh(
    _ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock, _ work: TileWorkspace<Scalar>
  ) {
    let step = scoring.isEmpty ? rows.count : Self.rowsInCache
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
      let part = first..<min(first + step, rows.upperBound)
      let scores = work.scores + first * work.scoreStride
      if !scoring.isEmpty {
        scoring.apply(
          to: scores, rowStride: work.scoreStride, keys: keys, rows: part, of: block,
          seen: { Int(work.tileBegin[$0])..<max(Int(work.tileBegin[$0]), Int(work.tileEnd[$0])) },
          scratch: work.biasRows, exact)
      }
      let tile = ScoreTile(
        scores: scores, rowStride: work.scoreStride, rows: part.count, columns: keys.count,
        begin: UnsafePointer(work.tileBegin + first), end: UnsafePointer(work.tileEnd + first),
        hidesByInfinity: !scoring.isEmpty)
      Scalar.softmaxTile(tile, work.softmax.from(first), kernels)
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
    var first = block.rows.count
    var last = -1
    for row in 0..<block.rows.count {
      let begin = max(work.begin[row], lower)
      let end = min(work.end[row], upper)
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
    for row in 0..<block.rows.count {
      let index = block.index(row)
      let target = result.row(index)
      let output = work.output + row * width
      let visible = Int(work.begin[row])..<max(Int(work.begin[row]), Int(work.end[row]))
      if !work.softmax.isEmpty(row) {
        let isFinite = Scalar.run(
          store, into: target, stride: result.columnStride, output, width,
          factor: work.softmax.normalizer(row, sink: sinks.map { $0[index.head] } ?? -.infinity))
        if isFinite {
          result.setLogSumExp(work.softmax.logSumExp(row), index)
          continue
        }
      } else if scoring.hidesAll(
        visible, from: index, block.extent, width: probe, probe: work.scores, scratch: work.biasRows)
      {
        // What the product left in the row may be 0 · NaN.
        output.update(repeating: 0, count: width)
        _ = Scalar.run(store, into: target, stride: result.columnStride, output, width, factor: 1)
        result.setLogSumExp(-Scalar.infinity, index)
        continue
      }
      // Something is not finite, or every score of a key that nothing hides is −∞: finite ones may have overflowed.
      exact.attend(index, block, visible, into: result)
    }
  }
}
