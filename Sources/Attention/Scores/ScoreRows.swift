import LinearAlgebra
import Parallelism

/// Whole rows of scores at one stage, a block of rows of one head at a time: the products, rules and softmax of attention without its
/// tiles over keys, since whoever asks for scores has a place for all of them.
///
/// Blocks start at fixed rows of a head and are computed whole, whichever rows are asked for: the same score comes out bitwise the
/// same among few rows or many, alone or in a batch.
struct ScoreRows<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let selection: ScoreSelection
  private let target: ScoreTarget<Scalar>
  private let kernels: KernelTable
  private let rows: RowKernels<Scalar>
  private let blocks: ScoreBlocks
  private let product: TileProduct<Scalar>
  private let keyValues: KeyValueTiles<Scalar>
  private let scoring: TileScoring<Scalar>
  private let factors: (queries: Scalar, products: Scalar)

  /// - Parameter target: row-major, of the selected sequences and heads.
  init<Element: AttentionElement & BLASScalar>(
    _ problem: AttentionProblem, _ selection: ScoreSelection, into target: MutableTensorView<Element>,
    _ variant: KernelVariant
  ) {
    self.problem = problem
    self.selection = selection
    self.kernels = variant.kernels
    self.rows = RowKernels(variant.kernels)
    self.target = ScoreTarget(problem, selection, target, rows)
    self.factors = problem.factors()
    self.product = TileProduct(smallProductLimit: nil)
    self.keyValues = KeyValueTiles(problem, variant.kernels)
    self.scoring = TileScoring(problem.scoring.through(selection.stage), variant.kernels)
    self.blocks = ScoreBlocks(problem, selection)
  }

  func run(on pool: WorkerPool) {
    if selection.rows.isEmpty || problem.sizes.keyCount == 0 { return }
    target.clearPadding(on: pool)
    // As many as the sequence with the most blocks has; the others have fewer.
    let most = blocks.mostBlocks
    if most == 0 { return }
    let heads = selection.heads
    pool.run(selection.sequences.count * heads.count * most) { number in
      let (pair, place) = number.quotientAndRemainder(dividingBy: most)
      let (sequence, head) = pair.quotientAndRemainder(dividingBy: heads.count)
      write(blocks.of(selection.sequences.lowerBound + sequence), heads.lowerBound + head, place)
    }
  }

  /// Computes the block at `place` among those that hold rows asked for, and writes these.
  private func write(_ shape: ScoreBlocks.Sequence, _ head: Int, _ place: Int) {
    if place >= shape.blockCount { return }
    let first = (shape.queries.lowerBound / shape.layout.rows + place) * shape.layout.rows
    let block = RowBlock(
      sequence: shape.sequence, extent: shape.extent, keyValueHead: problem.sizes.keyValueHead(head),
      heads: head..<head + 1,
      rows: first..<max(first, min(first + shape.layout.rows, shape.extent.queryCount)))
    ThreadScratch.withBytes(shape.layout.byteCount) { memory in
      let work = TileWorkspace<Scalar>(memory, shape.layout)
      if !block.rows.isEmpty {
        prepare(block, work)
        fill(block, shape, work)
      }
      for query in shape.queries.clamped(to: first..<first + shape.layout.rows) {
        let row = target.row(shape.sequence, head, query + shape.offset)
        if query - first < block.rows.count {
          finish(query - first, of: block, shape, work, into: row)
        } else {
          target.fill(row, 0..<problem.sizes.keyCount)
        }
      }
    }
  }

  /// Loads the block's queries and the keys that each row sees: all of them at the stages before any rule hides one.
  private func prepare(_ block: RowBlock, _ work: TileWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let load = rows.load(problem.elementType)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      let visible =
        switch selection.stage {
        case .scaled, .softcapped: VisibleKeys(range: 0..<block.extent.keyCount, hole: 0..<0)
        case .biased, .weights:
          problem.visibility.visibleKeys(sequence: index.sequence, query: index.query)
        }
      work.ranges.set(row, visible)
      work.softmax.reset(row)
      load(
        work.queries + row * depth, problem.queries.row(index.sequence, index.head, index.row),
        problem.queries.columnStride, depth, Double(factors.queries))
    }
  }

  /// Computes a block up to its stage, but for what each row needs by itself.
  private func fill(_ block: RowBlock, _ shape: ScoreBlocks.Sequence, _ work: TileWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let count = block.rows.count
    let exact = ExactProducts(problem, kernels)
    for first in stride(from: 0, to: shape.extent.keyCount, by: shape.keyTile) {
      let keys = first..<min(first + shape.keyTile, shape.extent.keyCount)
      product.multiply(
        ProductSize(m: count, n: keys.count, k: depth),
        MatrixOperand(work.queries, leadingDimension: depth), keyValues.transposedKeys(keys, block, work),
        alpha: factors.products,
        into: MutableMatrixOperand(work.scores + first, leadingDimension: work.scoreStride), adds: false)
      scoring.apply(
        to: ScoredTile(
          scores: MutableMatrixOperand(work.scores + first, leadingDimension: work.scoreStride),
          keys: keys, rows: 0..<count, block: block, seen: SeenKeys(work.ranges.begin, work.ranges.end),
          scratch: work.biasRows), exact)
    }
    for row in 0..<count {
      let hole = work.ranges.hole(row)
      (work.scores + row * work.scoreStride + hole.lowerBound).update(
        repeating: -.infinity, count: hole.count)
    }
    if selection.stage == .weights {
      rows.softmaxTile(
        ScoreTile(
          scores: work.scoreRows(from: 0), rows: count, columns: shape.extent.keyCount,
          seen: SeenKeys(work.ranges.begin, work.ranges.end), hidesByInfinity: true),
        work.softmax)
    }
  }

  /// Hides or weights what has to be of one row, and writes it out.
  private func finish(
    _ row: Int, of block: RowBlock, _ shape: ScoreBlocks.Sequence, _ work: TileWorkspace<Scalar>,
    into place: UnsafeMutableRawPointer
  ) {
    let scores = work.scores + row * work.scoreStride
    let keys = VisibleKeys(range: work.ranges.range(row), hole: work.ranges.hole(row))
    let visible = keys.range
    if selection.stage == .weights { normalize(row, of: block, keys, shape, work) }
    scores.update(repeating: target.hidden, count: visible.lowerBound)
    let keyCount = shape.extent.keyCount
    (scores + visible.upperBound).update(repeating: target.hidden, count: keyCount - visible.upperBound)
    target.write(scores, count: keyCount, to: place)
    target.fill(place, keyCount..<problem.sizes.keyCount)
  }

  private func normalize(
    _ row: Int, of block: RowBlock, _ visible: VisibleKeys, _ shape: ScoreBlocks.Sequence,
    _ work: TileWorkspace<Scalar>
  ) {
    let index = block.index(row)
    let scores = work.scores + row * work.scoreStride
    let sink = problem.sinks.map { Scalar($0[index.head]) } ?? -.infinity
    let softmax = work.softmax
    if softmax.isEmpty(row)
      && scoring.hidesAll(
        visible, of: index, width: shape.keyTile, probe: scores, scratch: work.biasRows)
    {
      scores.update(repeating: 0, count: shape.extent.keyCount)
    } else if !softmax.isEmpty(row) && softmax.sum[row].isFinite && softmax.maximum[row] < .infinity
      && sink < .infinity
    {
      rows.scale(scores + visible.range.lowerBound, visible.range.count, softmax.normalizer(row, sink: sink))
    } else {
      ExactRow(problem, kernels).weights(
        row, of: block, visible, into: scores, count: shape.extent.keyCount)
    }
  }
}
