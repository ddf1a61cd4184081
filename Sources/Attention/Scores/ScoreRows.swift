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
  private let sequences: Range<Int>
  private let heads: Range<Int>
  private let target: StridedOperand
  private let targetBase: UnsafeMutableRawPointer
  private let store: Scalar.Store
  private let kernels: KernelTable
  private let blocks: ScoreBlocks
  private let product: TileProduct<Scalar>
  private let keyValues: KeyValueTiles<Scalar>
  private let scoring: TileScoring<Scalar>
  private let exact: ExactRow<Scalar>
  private let factors: (queries: Scalar, products: Scalar)

  /// - Parameter target: `[B, Hq, queries.count, Tk]`, row-major, of the selected sequences and heads.
  init<Element: AttentionElement>(
    _ problem: AttentionProblem, _ selection: ScoreSelection, into target: MutableTensorView<Element>,
    _ variant: KernelVariant
  ) {
    self.problem = problem
    self.selection = selection
    let sizes = problem.sizes
    self.sequences = selection.head.map { $0.sequence..<$0.sequence + 1 } ?? 0..<sizes.batch
    self.heads = selection.head.map { $0.head..<$0.head + 1 } ?? 0..<sizes.queryHeads
    self.target = StridedOperand(target)
    self.targetBase = UnsafeMutableRawPointer(target.base)
    self.kernels = variant.kernels
    self.factors = problem.factors()
    self.store = Scalar.store(Element.elementType, kernels)
    self.product = TileProduct(smallProductLimit: nil)
    self.keyValues = KeyValueTiles(problem, kernels)
    self.scoring = TileScoring(problem.scoring, kernels)
    self.exact = ExactRow(problem, scoring, kernels)
    self.blocks = ScoreBlocks(problem, selection)
  }

  func run(on pool: WorkerPool) {
    if selection.queries.isEmpty || problem.sizes.keyCount == 0 { return }
    // As many as the sequence with the most blocks has; the others have fewer.
    let most = blocks.mostBlocks
    pool.run(sequences.count * heads.count * most) { number in
      let (pair, place) = number.quotientAndRemainder(dividingBy: most)
      let (sequence, head) = pair.quotientAndRemainder(dividingBy: heads.count)
      write(blocks.of(sequences.lowerBound + sequence), heads.lowerBound + head, place)
    }
  }

  /// Computes the block at `place` among those that hold rows asked for, and writes these.
  private func write(_ shape: ScoreBlocks.Sequence, _ head: Int, _ place: Int) {
    let first = (selection.queries.lowerBound / shape.rows + place) * shape.rows
    if first >= selection.queries.upperBound { return }
    let block = RowBlock(
      sequence: shape.sequence, extent: shape.extent, keyValueHead: problem.sizes.keyValueHead(head),
      heads: head..<head + 1, rows: first..<max(first, min(first + shape.rows, shape.queryCount)))
    ThreadScratch.withBytes(shape.layout.byteCount) { memory in
      let work = TileWorkspace<Scalar>(memory, shape.layout)
      if !block.rows.isEmpty {
        prepare(block, work)
        fill(block, shape, work)
      }
      for query in selection.queries.clamped(to: first..<first + shape.rows) {
        let index = RowIndex(sequence: shape.sequence, head: head, query: query, row: query)
        finish(index, query - first, block, shape, work)
      }
    }
  }

  /// Loads the block's queries and the keys that each row sees.
  private func prepare(_ block: RowBlock, _ work: TileWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let load = Scalar.load(problem.elementType, kernels)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      let visible = problem.visibility.visibleKeys(sequence: index.sequence, query: index.query)
      work.begin[row] = Int32(truncatingIfNeeded: visible.lowerBound)
      work.end[row] = Int32(truncatingIfNeeded: visible.upperBound)
      work.softmax.reset(row)
      Scalar.run(
        load, into: work.queries + row * depth, problem.queries.row(index.sequence, index.head, index.row),
        stride: problem.queries.columnStride, depth, factor: factors.queries)
    }
  }

  /// Computes a block up to its stage, but for what each row needs by itself.
  private func fill(_ block: RowBlock, _ shape: ScoreBlocks.Sequence, _ work: TileWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let rows = 0..<block.rows.count
    for first in stride(from: 0, to: shape.keyCount, by: shape.keyTile) {
      let keys = first..<min(first + shape.keyTile, shape.keyCount)
      let scores = work.scores + first
      product.multiply(
        ProductSize(m: rows.count, n: keys.count, k: depth),
        MatrixOperand(work.queries, leadingDimension: depth), keyValues.transposedKeys(keys, block, work),
        alpha: factors.products, into: MutableMatrixOperand(scores, leadingDimension: work.scoreStride),
        adds: false)
      func row(_ row: Int) -> UnsafeMutablePointer<Scalar> { scores + row * work.scoreStride }
      switch selection.stage {
      case .scaled: for i in rows { exact.repair(row(i), of: keys, block.index(i), block) }
      case .softcapped: for i in rows { scoring.cap(row(i), keys, block.index(i), block, exact) }
      case .biased, .weights:
        scoring.apply(
          to: scores, rowStride: work.scoreStride, keys: keys, rows: rows, of: block,
          seen: { row in
            let begin = max(Int(work.begin[row]), keys.lowerBound) - keys.lowerBound
            return begin..<max(begin, min(Int(work.end[row]), keys.upperBound) - keys.lowerBound)
          }, scratch: work.biasRows, exact)
      }
    }
    if selection.stage == .weights {
      Scalar.softmaxTile(
        ScoreTile(
          scores: work.scores, rowStride: work.scoreStride, rows: rows.count, columns: shape.keyCount,
          begin: UnsafePointer(work.begin), end: UnsafePointer(work.end), hidesByInfinity: true),
        work.softmax, kernels)
    }
  }

  /// Hides or weights what has to be of one row, and writes it out. Rows past the block's are padding, and see nothing.
  private func finish(
    _ index: RowIndex, _ row: Int, _ block: RowBlock, _ shape: ScoreBlocks.Sequence,
    _ work: TileWorkspace<Scalar>
  ) {
    let place =
      targetBase
      + target.byteOffset(
        index.sequence - sequences.lowerBound, index.head - heads.lowerBound,
        index.query - selection.queries.lowerBound)
    let hidden: Scalar = selection.stage == .biased ? -.infinity : 0
    if row >= block.rows.count {
      fill(place, 0..<problem.sizes.keyCount, with: hidden, shape, work)
      return
    }
    let scores = work.scores + row * work.scoreStride
    let begin = Int(work.begin[row])
    let visible = begin..<max(begin, Int(work.end[row]))
    if selection.stage == .weights { normalize(scores, row, index, block, visible, shape, work) }
    if selection.stage == .weights || selection.stage == .biased {
      scores.update(repeating: hidden, count: visible.lowerBound)
      (scores + visible.upperBound).update(repeating: hidden, count: shape.keyCount - visible.upperBound)
    }
    _ = Scalar.run(store, into: place, stride: 1, scores, shape.keyCount, factor: 1)
    fill(place, shape.keyCount..<problem.sizes.keyCount, with: hidden, shape, work)
  }

  /// Writes one number along part of a row of the target.
  private func fill(
    _ row: UnsafeMutableRawPointer, _ columns: Range<Int>, with value: Scalar, _ shape: ScoreBlocks.Sequence,
    _ work: TileWorkspace<Scalar>
  ) {
    if columns.isEmpty { return }
    work.biasRows.update(repeating: value, count: shape.keyTile)
    for first in stride(from: columns.lowerBound, to: columns.upperBound, by: shape.keyTile) {
      _ = Scalar.run(
        store, into: row + first * target.elementType.byteCount, stride: 1, work.biasRows,
        min(shape.keyTile, columns.upperBound - first), factor: 1)
    }
  }

  private func normalize(
    _ scores: UnsafeMutablePointer<Scalar>, _ row: Int, _ index: RowIndex, _ block: RowBlock,
    _ visible: Range<Int>, _ shape: ScoreBlocks.Sequence, _ work: TileWorkspace<Scalar>
  ) {
    let sink = problem.sinks.map { Scalar($0[index.head]) } ?? -.infinity
    let softmax = work.softmax
    if softmax.isEmpty(row)
      && scoring.hidesAll(
        visible, from: index, block.extent, width: shape.keyTile, probe: scores, scratch: work.biasRows)
    {
      scores.update(repeating: 0, count: shape.keyCount)
    } else if !softmax.isEmpty(row) && softmax.sum[row].isFinite && softmax.maximum[row] < .infinity
      && sink < .infinity
    {
      Scalar.scale(scores + visible.lowerBound, visible.count, softmax.normalizer(row, sink: sink), kernels)
    } else {
      exact.weights(index, block, visible, into: scores, count: shape.keyCount)
    }
  }
}
