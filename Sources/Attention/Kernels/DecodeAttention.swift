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

  /// Computes one part of a block: into the result where it is the only one.
  func attend(_ number: Int, part: Int, of group: BlockGroup, _ tiles: DecodeTiles, _ partial: PartialResults)
  {
    ThreadScratch.withBytes(tiles.workspace.byteCount) { memory in
      let work = TileWorkspace<Float>(memory, tiles.workspace)
      let block = group.block(number)
      let seen = tileRows.prepare(block, work).seenBySome
      let first = part * tiles.partKeys
      let end = min(first + tiles.partKeys, block.extent.keyCount)
      let range =
        min(
          max(seen.lowerBound, first), end)..<max(
          min(max(seen.lowerBound, first), end), min(seen.upperBound, end))
      work.output.update(repeating: 0, count: block.rows.count * problem.sizes.valueDimension)
      // Tiles start at multiples of their size in the part, whatever is seen of it.
      var tile = first + (range.lowerBound - first) / tiles.keys * tiles.keys
      while tile < range.upperBound {
        let next = min(tile + tiles.keys, end)
        add(tile..<next, of: block, following: next..<min(next + tiles.keys, end), work)
        tile = next
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
    ThreadScratch.withBytes(tiles.workspace.byteCount) { memory in
      let work = TileWorkspace<Float>(memory, tiles.workspace)
      let block = group.block(number)
      tileRows.findRanges(block, work)
      partial.merge(into: work, block, number, of: group, kernels)
      tileRows.finish(block, probe: tiles.keys, work)
    }
  }

  private func add(
    _ tile: Range<Int>, of block: RowBlock, following: Range<Int>, _ work: TileWorkspace<Float>
  ) {
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let rows = tileRows.rowsSeeing(tile, of: block, work)
    if rows.isEmpty { return }
    let scores = work.scores + rows.lowerBound * work.scoreStride
    let keyStream = keys.stream(tile, block, work.packedKeys, next: values.run(tile, block))
    var products = CAttentionKernels_products(
      keys: keyStream.stream,
      queries: work.queries + rows.lowerBound * depth, query_stride: depth, query_count: rows.count,
      scale: factors.products, scores: scores, score_stride: work.scoreStride)
    keys.multiply(&products, keyStream.type)
    tileRows.weigh(tile, rows, of: block, work)
    let valueStream = values.stream(
      tile, block, work.packedValues, next: following.isEmpty ? nil : keys.run(following, block))
    var sums = CAttentionKernels_sums(
      values: valueStream.stream, weights: scores, weight_stride: work.scoreStride, row_count: rows.count,
      rescale: work.softmax.rescale + rows.lowerBound, output: work.output + rows.lowerBound * width,
      output_stride: width)
    values.addWeighted(&sums, valueStream.type)
  }
}
