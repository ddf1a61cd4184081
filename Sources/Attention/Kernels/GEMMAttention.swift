import CAttentionKernels
import LinearAlgebra
import Parallelism

/// Attention as tiles of two matrix products, `Q·Kᵀ` and `weights·V`, through CBLAS, with a running softmax between them.
///
/// A task is a block of query rows of one key/value head: row `r` is query `r / G` of the group's head `r % G`, so the `G`
/// query heads of a group are rows of one product and share each key tile, and neighbouring rows see nearly the same
/// keys. Tiles that no row sees are never computed.
struct GEMMAttention<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let plan: AttentionPlan
  private let result: AttentionResult
  private let kernels: KernelTable
  private let product: TileProduct<Scalar>
  private let keyValues: KeyValueTiles<Scalar>
  private let scoring: TileScoring<Scalar>
  private let exact: ExactRow<Scalar>
  /// One a query head; nil where none is given.
  private let sinks: [Scalar]?
  private let loadQueries: Scalar.Load
  private let factors: (queries: Scalar, products: Scalar)
  private let store: Scalar.Store

  init(
    _ problem: AttentionProblem, _ plan: AttentionPlan, _ result: AttentionResult,
    _ variant: KernelVariant
  ) {
    self.problem = problem
    self.plan = plan
    self.result = result
    let kernels = variant.kernels
    self.kernels = kernels
    self.product = TileProduct(smallProductLimit: variant.smallProductLimit)
    self.keyValues = KeyValueTiles(problem, kernels)
    self.scoring = TileScoring(problem.scoring, kernels)
    self.exact = ExactRow(problem, scoring, kernels)
    self.sinks = problem.sinks.map { $0.map { Scalar($0) } }
    self.factors = problem.factors()
    self.loadQueries = Scalar.load(problem.elementType, kernels)
    self.store = Scalar.store(problem.elementType, kernels)
  }

  /// Computes all blocks. Those of a task follow each other on one thread, so the memory that the next one starts with is
  /// asked for while one is computed.
  func run(on pool: WorkerPool) {
    pool.run(plan.tasks.count, maximumThreads: plan.threads) { number in
      let (group, blocks) = plan.tasks.work(of: number)
      ThreadScratch.withBytes(group.tiles.workspace.byteCount) { memory in
        let work = GEMMWorkspace<Scalar>(memory, group.tiles.workspace)
        for number in blocks {
          if number + 1 < blocks.upperBound {
            prefetch(group.block(number + 1), startsHead: group.startsHead(number + 1), group.tiles)
          }
          attend(group.block(number), group.tiles, work)
        }
      }
    }
  }

  /// Brings a block's queries near, and the first tile of its keys and values where it is the first to read them.
  private func prefetch(_ block: RowBlock, startsHead: Bool, _ tiles: GEMMTiles) {
    let (first, last) = (block.index(0), block.index(block.rows.count - 1))
    for head in block.heads {
      let rows = problem.queries.run(block.sequence, head, from: first.row)
      let size = problem.elementType.byteCount
      rows.prefetch(last.row + 1 - first.row, bytes: problem.sizes.headDimension * size, elementSize: size)
    }
    if startsHead {
      let keys = 0..<min(tiles.keys, block.extent.keyCount)
      keyValues.keys.prefetch(keys, block)
      keyValues.values.prefetch(keys, block)
    }
  }

  private func attend(_ block: RowBlock, _ tiles: GEMMTiles, _ work: GEMMWorkspace<Scalar>) {
    let extent = prepare(block, work)
    var isOutputEmpty = true
    extent.forEachTile(widest: tiles.keys, edge: tiles.edgeKeys) { keys in
      if addTile(keys, of: block, startsOutput: isOutputEmpty, work) { isOutputEmpty = false }
    }
    finish(block, tiles, work)
  }

  /// Loads the block's queries and the keys that each row sees; resets the running softmax.
  private func prepare(_ block: RowBlock, _ work: GEMMWorkspace<Scalar>) -> KeyExtent {
    let depth = problem.sizes.headDimension
    var extent = KeyExtent()
    var visible = 0..<0
    var query = -1
    for row in 0..<block.rows.count {
      let index = block.index(row)
      if index.query != query {
        query = index.query
        visible = problem.visibility.visibleKeys(sequence: index.sequence, query: query)
      }
      extent.add(visible)
      result.prefetch(index, columns: problem.sizes.valueDimension)
      work.begin[row] = Int32(truncatingIfNeeded: visible.lowerBound)
      work.end[row] = Int32(truncatingIfNeeded: visible.upperBound)
      work.softmax.reset(row)
      Scalar.run(
        loadQueries, into: work.queries + row * depth,
        problem.queries.row(index.sequence, index.head, index.row),
        stride: problem.queries.columnStride, depth, factor: factors.queries)
    }
    return extent
  }

  /// Adds one tile of keys to the running softmax and the output of the rows that see any of them; whether there are any.
  private func addTile(
    _ keys: Range<Int>, of block: RowBlock, startsOutput: Bool, _ work: GEMMWorkspace<Scalar>
  ) -> Bool {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let rows = rowsSeeing(keys, of: block, work)
    if rows.isEmpty { return false }
    let scores = work.scores + rows.lowerBound * work.scoreStride
    product.multiply(
      ProductSize(m: rows.count, n: keys.count, k: depth),
      MatrixOperand(work.queries + rows.lowerBound * depth, leadingDimension: depth),
      keyValues.transposedKeys(keys, block, work), alpha: factors.products,
      into: MutableMatrixOperand(scores, leadingDimension: work.scoreStride), adds: false)
    weigh(keys, rows, of: block, work)

    // The first product may overwrite the output only if it reaches every row.
    let overwrites = startsOutput && rows.count == block.rows.count
    if startsOutput && !overwrites {
      work.output.update(repeating: 0, count: block.rows.count * width)
    } else if !startsOutput {
      for row in rows where work.softmax.rescale[row] != 1 {
        Scalar.scale(work.output + row * width, width, work.softmax.rescale[row], kernels)
      }
    }
    product.multiply(
      ProductSize(m: rows.count, n: width, k: keys.count),
      MatrixOperand(scores, leadingDimension: work.scoreStride), keyValues.values(keys, block, work),
      alpha: 1,
      into: MutableMatrixOperand(work.output + rows.lowerBound * width, leadingDimension: width),
      adds: !overwrites)
    return true
  }

  /// Scores of a tile become weights, by the problem's rules and the running softmax.
  ///
  /// With rules, some rows at a time: rules and softmax each pass over them, and find them in the first-level cache.
  private func weigh(
    _ keys: Range<Int>, _ rows: Range<Int>, of block: RowBlock, _ work: GEMMWorkspace<Scalar>
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
  private func rowsSeeing(
    _ keys: Range<Int>, of block: RowBlock, _ work: GEMMWorkspace<Scalar>
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
  private func finish(_ block: RowBlock, _ tiles: GEMMTiles, _ work: GEMMWorkspace<Scalar>) {
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
        visible, from: index, block.extent, width: tiles.keys, probe: work.scores, scratch: work.biasRows)
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
