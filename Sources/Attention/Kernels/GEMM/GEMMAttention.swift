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
  private let kernels: RowKernels<Scalar>
  private let product: TileProduct<Scalar>
  private let keyValues: KeyValueTiles<Scalar>
  private let tileRows: TileRows<Scalar>
  private let factors: (queries: Scalar, products: Scalar)

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ variant: KernelVariant) {
    self.problem = problem
    self.kernels = RowKernels(variant.kernels)
    self.product = TileProduct(smallProductLimit: variant.smallProductLimit)
    self.keyValues = KeyValueTiles(problem, variant.kernels)
    self.factors = problem.factors()
    self.tileRows = TileRows(problem, result, variant.kernels, queryFactor: factors.queries)
  }

  /// Computes some blocks of a group. They follow each other on one thread, which prefetches the first operands of the next block before
  /// it computes one.
  func attend(
    _ blocks: Range<Int>, of group: BlockGroup, _ tiles: GEMMTiles, _ memory: UnsafeMutableRawBufferPointer
  ) {
    let work = TileWorkspace<Scalar>(memory, tiles.workspace(problem))
    for number in blocks {
      if number + 1 < blocks.upperBound {
        prefetch(group.block(number + 1), startsHead: group.startsHead(number + 1), tiles)
      }
      attend(group.block(number), tiles, work)
    }
  }

  /// Brings a block's queries near, and the first tile of its keys and values where it is the first to read them.
  private func prefetch(_ block: RowBlock, startsHead: Bool, _ tiles: GEMMTiles) {
    let (first, last) = (block.index(0), block.index(block.rows.count - 1))
    for head in block.heads {
      problem.queries.prefetch(
        block.sequence, head, first.row..<last.row + 1, columns: problem.sizes.headDimension)
    }
    if startsHead {
      let keys = 0..<min(tiles.keys, block.extent.keyCount)
      keyValues.keys.prefetch(keys, block)
      keyValues.values.prefetch(keys, block)
    }
  }

  private func attend(_ block: RowBlock, _ tiles: GEMMTiles, _ work: TileWorkspace<Scalar>) {
    let extent = tileRows.prepare(block, work)
    var isOutputEmpty = true
    extent.forEachTile(widest: tiles.keys, edge: tiles.edgeKeys) { keys in
      if addTile(keys, of: block, startsOutput: isOutputEmpty, work) { isOutputEmpty = false }
    }
    tileRows.finish(block, probe: tiles.keys, work)
  }

  /// Adds one tile of keys to the running softmax and the output of the rows that see any of them; whether there are any.
  private func addTile(
    _ keys: Range<Int>, of block: RowBlock, startsOutput: Bool, _ work: TileWorkspace<Scalar>
  ) -> Bool {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let rows = tileRows.rowsSeeing(keys, of: block, work)
    if rows.isEmpty { return false }
    let scores = work.scores + rows.lowerBound * work.scoreStride
    product.multiply(
      ProductSize(m: rows.count, n: keys.count, k: depth),
      MatrixOperand(work.queries + rows.lowerBound * depth, leadingDimension: depth),
      keyValues.transposedKeys(keys, block, work), alpha: factors.products,
      into: MutableMatrixOperand(scores, leadingDimension: work.scoreStride), adds: false)
    tileRows.weigh(keys, rows, of: block, work)

    // The first product may overwrite the output only if it reaches every row.
    let overwrites = startsOutput && rows.count == block.rows.count
    if startsOutput && !overwrites {
      work.output.update(repeating: 0, count: block.rows.count * width)
    } else if !startsOutput {
      for row in rows where work.softmax.rescale[row] != 1 {
        kernels.scale(work.output + row * width, width, work.softmax.rescale[row])
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
}
