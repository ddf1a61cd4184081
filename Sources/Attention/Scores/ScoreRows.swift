import LinearAlgebra
import Parallelism

/// Whole rows of scores at one stage, a block of rows at a time: the products, rules and softmax of attention without its tiles over
/// keys, since whoever asks for scores has a place for all of them.
struct ScoreRows<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let stage: ScoreStage
  private let queries: Range<Int>
  private let sequences: Range<Int>
  /// The query heads that are computed together: they share a key/value head.
  private let headGroups: [Range<Int>]
  private let target: StridedOperand
  private let targetBase: UnsafeMutableRawPointer
  private let store: Scalar.Store
  private let factors: (queries: Scalar, products: Scalar)
  private let kernels: KernelTable
  private let product: TileProduct<Scalar>
  private let keyValues: KeyValueTiles<Scalar>
  private let scoring: TileScoring<Scalar>
  private let exact: ExactRow<Scalar>
  private let layout: GEMMWorkspaceLayout

  /// Keys of a product: enough for it to run well, few enough that gathered ones stay in cache.
  private static var keyTile: Int { 256 }
  /// The scores that a thread holds.
  private static var mostScoreBytes: Int { 1 << 20 }

  /// - Parameter target: `[B, Hq, queries.count, Tk]`, row-major, of the selected sequences and heads.
  init<Element: AttentionElement>(
    _ problem: AttentionProblem, _ selection: ScoreSelection, into target: MutableTensorView<Element>,
    _ variant: KernelVariant
  ) {
    let sizes = problem.sizes
    let groupSize = sizes.groupSize
    self.problem = problem
    self.stage = selection.stage
    self.queries = selection.queries
    if let (sequence, head) = selection.head {
      self.sequences = sequence..<sequence + 1
      self.headGroups = [head..<head + 1]
    } else {
      self.sequences = 0..<sizes.batch
      self.headGroups = (0..<sizes.keyValueHeads).map { $0 * groupSize..<($0 + 1) * groupSize }
    }
    self.target = StridedOperand(target)
    self.targetBase = UnsafeMutableRawPointer(target.base)
    self.kernels = variant.kernels
    self.factors = problem.factors()
    self.store = Scalar.store(Element.elementType, kernels)
    self.product = TileProduct(smallProductLimit: nil)
    self.keyValues = KeyValueTiles(problem, kernels)
    self.scoring = TileScoring(problem.scoring, kernels)
    self.exact = ExactRow(problem, scoring, kernels)
    let size = Scalar.elementType.byteCount
    let rows = max(1, min(GEMMTiles.mostRows, Self.mostScoreBytes / (size * max(1, sizes.keyCount))))
    self.layout = GEMMWorkspaceLayout(
      scalarSize: size, rows: min(rows, max(1, groupSize * queries.count)), keys: Self.keyTile,
      scoreColumns: sizes.keyCount, headDimension: sizes.headDimension, valueDimension: 0,
      packsKeys: !problem.keys.isReadInPlace(Scalar.elementType, columns: sizes.headDimension),
      packsValues: false, transposesKeys: false)
  }

  func run(on pool: WorkerPool) {
    guard let headCount = headGroups.first?.count, problem.sizes.keyCount > 0 else { return }
    let rowCount = headCount * queries.count
    let blocksPerGroup = (rowCount + layout.rows - 1) / layout.rows
    pool.run(sequences.count * headGroups.count * blocksPerGroup) { number in
      let (pair, place) = number.quotientAndRemainder(dividingBy: blocksPerGroup)
      let (sequence, group) = pair.quotientAndRemainder(dividingBy: headGroups.count)
      let heads = headGroups[group]
      let start = queries.lowerBound * headCount
      let first = start + place * layout.rows
      let block = RowBlock(
        sequence: sequences.lowerBound + sequence,
        extent: problem.sequences.of(sequences.lowerBound + sequence),
        keyValueHead: problem.sizes.keyValueHead(heads.lowerBound), heads: heads,
        rows: first..<min(first + layout.rows, start + rowCount))
      ThreadScratch.withBytes(layout.byteCount) { memory in
        let work = GEMMWorkspace<Scalar>(memory, layout)
        prepare(block, work)
        fill(block, work)
        finish(block, work)
      }
    }
  }

  /// Loads the block's queries and the keys that each row sees.
  private func prepare(_ block: RowBlock, _ work: GEMMWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let load = Scalar.load(problem.elementType, kernels)
    for row in 0..<block.rows.count {
      let index = block.index(row)
      // A query past its sequence's length is padding and sees nothing.
      let visible =
        index.query < block.extent.queryCount
        ? problem.visibility.visibleKeys(sequence: index.sequence, query: index.query) : 0..<0
      work.begin[row] = Int32(truncatingIfNeeded: visible.lowerBound)
      work.end[row] = Int32(truncatingIfNeeded: visible.upperBound)
      work.softmax.reset(row)
      Scalar.run(
        load, into: work.queries + row * depth, problem.queries.row(index.sequence, index.head, index.row),
        stride: problem.queries.columnStride, depth, factor: factors.queries)
    }
  }

  /// Computes the scores of all keys, up to the stage before the softmax.
  private func fill(_ block: RowBlock, _ work: GEMMWorkspace<Scalar>) {
    let depth = problem.sizes.headDimension
    let rows = 0..<block.rows.count
    var first = 0
    while first < problem.sizes.keyCount {
      let keys = first..<min(first + Self.keyTile, problem.sizes.keyCount)
      let scores = work.scores + first
      product.multiply(
        ProductSize(m: rows.count, n: keys.count, k: depth),
        MatrixOperand(work.queries, leadingDimension: depth),
        keyValues.transposedKeys(keys, block, work), alpha: factors.products,
        into: MutableMatrixOperand(scores, leadingDimension: work.scoreStride), adds: false)
      for row in rows { exact.repair(scores + row * work.scoreStride, of: keys, block.index(row), block) }
      switch stage {
      case .scaled: break
      case .softcapped: for row in rows { scoring.cap(scores + row * work.scoreStride, keys.count) }
      case .biased, .weights:
        scoring.apply(
          to: scores, rowStride: work.scoreStride, keys: keys, rows: rows, of: block,
          seen: { row in
            let begin = max(Int(work.begin[row]), keys.lowerBound) - keys.lowerBound
            return begin..<max(begin, min(Int(work.end[row]), keys.upperBound) - keys.lowerBound)
          }, scratch: work.biasRows)
      }
      first = keys.upperBound
    }
  }

  /// Hides or weights what has to be, and writes the rows out.
  private func finish(_ block: RowBlock, _ work: GEMMWorkspace<Scalar>) {
    let count = problem.sizes.keyCount
    if stage == .weights {
      Scalar.softmaxTile(
        ScoreTile(
          scores: work.scores, rowStride: work.scoreStride, rows: block.rows.count, columns: count,
          begin: UnsafePointer(work.begin), end: UnsafePointer(work.end)), work.softmax, kernels)
    }
    for row in 0..<block.rows.count {
      let index = block.index(row)
      let scores = work.scores + row * work.scoreStride
      let visible = Int(work.begin[row])..<max(Int(work.begin[row]), Int(work.end[row]))
      switch stage {
      case .scaled, .softcapped: break
      case .biased:
        scores.update(repeating: -.infinity, count: visible.lowerBound)
        (scores + visible.upperBound).update(repeating: -.infinity, count: count - visible.upperBound)
      case .weights: normalize(scores, row, index, block, visible, work)
      }
      let place =
        targetBase
        + target.byteOffset(
          index.sequence - sequences.lowerBound, index.head - (headGroups.first?.lowerBound ?? 0),
          index.query - queries.lowerBound)
      _ = Scalar.run(store, into: place, stride: 1, scores, count, factor: 1)
    }
  }

  private func normalize(
    _ scores: UnsafeMutablePointer<Scalar>, _ row: Int, _ index: RowIndex, _ block: RowBlock,
    _ visible: Range<Int>, _ work: GEMMWorkspace<Scalar>
  ) {
    let count = problem.sizes.keyCount
    let sink = problem.sinks.map { Scalar($0[index.head]) } ?? -.infinity
    let softmax = work.softmax
    if softmax.isEmpty(row)
      && scoring.hidesAll(
        visible, from: index, block.extent, width: Self.keyTile, probe: scores, scratch: work.biasRows)
    {
      scores.update(repeating: 0, count: count)
    } else if !softmax.isEmpty(row) && softmax.sum[row].isFinite && softmax.maximum[row] < .infinity
      && sink < .infinity
    {
      Scalar.scale(scores, count, softmax.normalizer(row, sink: sink), kernels)
    } else {
      exact.weights(index, block, visible, into: scores, count: count)
    }
  }
}
