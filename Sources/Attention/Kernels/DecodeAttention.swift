import CAttentionKernels
import Parallelism

/// Attention of few queries over long keys: each key and value is read once for all query heads of its group, where it lies and in the type
/// that it has, at the speed of memory.
///
/// Keys are cut into parts of a fixed size that threads share (split keys, "Flash-Decoding", Dao et al. 2023). A part leaves each row's
/// running softmax and unfinished output; ``PartialResults`` brings the parts together in the order of the keys.
final class DecodeAttention {
  private let problem: AttentionProblem
  private let kernels: KernelTable
  private let tileRows: TileRows<Float>
  private let keys: StreamSource
  private let values: StreamSource
  private let factors: (queries: Float, products: Float)

  init(_ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable) {
    self.problem = problem
    self.kernels = kernels
    self.factors = problem.factors()
    self.tileRows = TileRows(problem, result, kernels, queryFactor: factors.queries)
    self.keys = StreamSource(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.values = StreamSource(problem.values, columns: problem.sizes.valueDimension, kernels)
  }

  /// Computes some pieces of a group, parts of blocks; `next` is the piece that this thread probably computes after them.
  func attend(
    _ pieces: Range<Int>, of group: BlockGroup, _ tiles: DecodeTiles, _ partial: PartialResults, next: Int
  ) {
    for piece in pieces {
      let following = piece + 1 < pieces.upperBound ? piece + 1 : next
      let (number, part) = piece.quotientAndRemainder(dividingBy: tiles.parts)
      attend(
        number, part: part, of: group, tiles, partial, next: following < group.pieceCount ? following : nil)
    }
  }

  /// Computes one part of a block: into the result where it is the only one.
  private func attend(
    _ number: Int, part: Int, of group: BlockGroup, _ tiles: DecodeTiles, _ partial: PartialResults,
    next: Int?
  ) {
    let layout = tiles.workspace(problem)
    ThreadScratch.withBytes(layout.byteCount) { memory in
      let work = TileWorkspace<Float>(memory, layout)
      let block = group.block(number)
      let seen = tileRows.prepare(block, work).seenBySome
      let first = part * tiles.partKeys
      let end = min(first + tiles.partKeys, block.extent.keyCount)
      let lower = min(max(seen.lowerBound, first), end)
      let range = lower..<max(lower, min(seen.upperBound, end))
      work.output.update(repeating: 0, count: block.rows.count * problem.sizes.valueDimension)
      // Tiles start at multiples of their size in the part, whatever is seen of it.
      var tile = first + (range.lowerBound - first) / tiles.keys * tiles.keys
      while tile < range.upperBound {
        let rest = min(tile + tiles.keys, end)..<end
        let following =
          rest.isEmpty ? next.flatMap { firstKeys(of: $0, group, tiles) } : keys.run(rest, block)
        add(tile..<rest.lowerBound, of: block, next: following, work)
        tile = rest.lowerBound
      }
      if tiles.parts == 1 {
        tileRows.finish(block, probe: tiles.keys, work)
      } else {
        partial.save(work, block, number, part: part, of: group)
      }
    }
  }

  /// Brings the parts of a block together and writes its rows.
  func merge(_ number: Int, of group: BlockGroup, _ tiles: DecodeTiles, _ partial: PartialResults) {
    let layout = tiles.workspace(problem)
    ThreadScratch.withBytes(layout.byteCount) { memory in
      let work = TileWorkspace<Float>(memory, layout)
      let block = group.block(number)
      tileRows.findRanges(block, work)
      partial.merge(into: work, block, number, of: group, kernels)
      tileRows.finish(block, probe: tiles.keys, work)
    }
  }

  /// Where the keys of a piece begin.
  private func firstKeys(of piece: Int, _ group: BlockGroup, _ tiles: DecodeTiles) -> RowRun? {
    let (number, part) = piece.quotientAndRemainder(dividingBy: tiles.parts)
    let block = group.block(number)
    let first = part * tiles.partKeys
    return first < block.extent.keyCount ? keys.run(first..<block.extent.keyCount, block) : nil
  }

  private func add(
    _ tile: Range<Int>, of block: RowBlock, next: RowRun?, _ work: TileWorkspace<Float>
  ) {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let rows = tileRows.rowsSeeing(tile, of: block, work)
    if rows.isEmpty { return }
    let scores = work.scores + rows.lowerBound * work.scoreStride
    keys.forEachPiece(of: tile, block, work.packedKeys, next: values.run(tile, block)) {
      piece, stream, type in
      var products = CAttentionKernels_products(
        keys: stream, queries: work.queries + rows.lowerBound * depth, query_stride: depth,
        query_count: rows.count, scale: factors.products, scores: scores + piece.lowerBound,
        score_stride: work.scoreStride)
      keys.multiply(&products, type)
    }
    tileRows.weigh(tile, rows, of: block, work)
    values.forEachPiece(of: tile, block, work.packedValues, next: next) { piece, stream, type in
      // What was summed before comes to the new scale once.
      var sums = CAttentionKernels_sums(
        values: stream, weights: scores + piece.lowerBound, weight_stride: work.scoreStride,
        row_count: rows.count,
        rescale: piece.lowerBound == 0 ? UnsafePointer(work.softmax.rescale + rows.lowerBound) : nil,
        output: work.output + rows.lowerBound * width, output_stride: width)
      values.addWeighted(&sums, type)
    }
  }
}
