import CAttentionKernels
import Parallelism

/// Attention of few queries over long keys: each key and value is read once for all query heads of its group, where it lies and in the type
/// that it has, at the speed of memory.
///
/// Keys are cut into parts of a fixed size that threads share (split keys, "Flash-Decoding", Dao et al. 2023). A part leaves each row's
/// running softmax and unfinished output; ``PartialResults`` brings the parts together in the order of the keys.
struct DecodeAttention {
  let problem: AttentionProblem
  let kernels: KernelTable
  let partial: PartialResults
  let tileRows: TileRows<Float>
  let stream: StreamKernels
  let keys: StreamSource
  let values: StreamSource
  let factors: (queries: Float, products: Float)

  init(
    _ problem: AttentionProblem, _ result: AttentionResult, _ kernels: KernelTable, _ partial: PartialResults
  ) {
    self.init(problem, keys: problem.keys, result, kernels, partial)
  }

  /// - Parameter keys: what is streamed of the problem's keys.
  init(
    _ problem: AttentionProblem, keys: KeyValueRows, _ result: AttentionResult, _ kernels: KernelTable,
    _ partial: PartialResults
  ) {
    self.problem = problem
    self.kernels = kernels
    self.partial = partial
    self.factors = problem.factors()
    self.tileRows = TileRows(problem, result, kernels, queryFactor: factors.queries)
    self.stream = StreamKernels(problem, keys: keys.type, kernels)
    self.keys = StreamSource(keys, columns: problem.sizes.headDimension, kernels)
    self.values = StreamSource(problem.values, columns: problem.sizes.valueDimension, kernels)
  }

  /// Computes some pieces of a group, parts of blocks; `next` is the piece that this thread probably computes after them.
  func attend(
    _ pieces: Range<Int>, of group: BlockGroup, _ tiles: DecodeTiles, next: Int,
    _ memory: UnsafeMutableRawBufferPointer
  ) {
    let layout = tiles.workspace(problem)
    withUnsafeTemporaryAllocation(of: HeadWork.self, capacity: group.headsTogether) { heads in
      for piece in pieces {
        for member in heads.indices {
          let (number, part) = group.block(ofPiece: piece, member)
          let space = UnsafeMutableRawBufferPointer(
            rebasing: memory[member * layout.byteCount..<(member + 1) * layout.byteCount])
          heads.initializeElement(
            at: member,
            to: HeadWork(
              number: number, part: part, block: group.block(number),
              work: TileWorkspace<Float>(space, layout)))
        }
        let following = piece + 1 < pieces.upperBound ? piece + 1 : next
        attend(heads, of: group, tiles, next: following < group.pieceCount ? following : nil)
        heads.deinitialize()
      }
    }
  }

  /// A head of a piece, with the memory that it is computed in.
  private struct HeadWork {
    /// The block's.
    let number: Int
    let part: Int
    let block: RowBlock
    let work: TileWorkspace<Float>
    /// How its queries are multiplied.
    var form = StreamedQueries.floats
  }

  /// Computes one part of a block of each head: into the result where it is the only part.
  private func attend(
    _ heads: UnsafeMutableBufferPointer<HeadWork>, of group: BlockGroup, _ tiles: DecodeTiles, next: Int?
  ) {
    var seen = 0..<0
    for index in heads.indices {
      let head = heads[index]
      // Ranges are the queries', whatever the head.
      seen = tileRows.prepare(head.block, head.work).seenBySome
      heads[index].form = stream.prepare(head.work, rows: head.block.rows.count)
      head.work.output.update(
        repeating: 0, count: head.block.rows.count * problem.sizes.valueDimension)
    }
    let block = heads[0].block
    let first = heads[0].part * tiles.partKeys
    let end = min(first + tiles.partKeys, block.extent.keyCount)
    let lower = min(max(seen.lowerBound, first), end)
    let range = lower..<max(lower, min(seen.upperBound, end))
    let stride = tiles.workspace(problem).byteCount / MemoryLayout<Float>.size
    // Tiles start at multiples of their size in the part, whatever is seen of it.
    var tile = first + (range.lowerBound - first) / tiles.keys * tiles.keys
    while tile < range.upperBound {
      let rest = min(tile + tiles.keys, end)..<end
      let following =
        rest.isEmpty ? next.flatMap { firstKeys(of: $0, group, tiles) } : keys.stretch(rest, block)
      add(tile..<rest.lowerBound, of: heads, stride: stride, next: following)
      tile = rest.lowerBound
    }
    for head in heads {
      if tiles.parts == 1 {
        tileRows.finish(head.block, probe: tiles.keys, head.work)
      } else {
        partial.save(head.work, head.block, head.number, part: head.part, of: group)
      }
    }
  }

  /// Brings the parts of a block together and writes its rows.
  func merge(
    _ number: Int, of group: BlockGroup, _ tiles: DecodeTiles, _ memory: UnsafeMutableRawBufferPointer
  ) {
    let work = TileWorkspace<Float>(memory, tiles.workspace(problem))
    let block = group.block(number)
    tileRows.findRanges(block, work)
    partial.merge(into: work, block, number, of: group, kernels)
    tileRows.finish(block, probe: tiles.keys, work)
  }

  /// Where the keys of a piece begin.
  private func firstKeys(of piece: Int, _ group: BlockGroup, _ tiles: DecodeTiles) -> StreamStretch? {
    let (number, part) = group.block(ofPiece: piece, 0)
    let block = group.block(number)
    let first = part * tiles.partKeys
    return keys.stretch(min(first, block.extent.keyCount)..<block.extent.keyCount, block)
  }

  /// Adds a tile of keys and values to the rows of some heads.
  ///
  /// - Parameter stride: from a head's workspace to the next head's, in Floats.
  private func add(
    _ tile: Range<Int>, of heads: UnsafeMutableBufferPointer<HeadWork>, stride: Int, next: StreamStretch?
  ) {
    var rows = 0..<0
    for head in heads { rows = tileRows.rowsSeeing(tile, of: head.block, head.work) }
    // A head's bits follow from its own queries: heads that are multiplied in different ways are not read together.
    if heads.count > 1, heads.contains(where: { $0.form != heads[0].form }) {
      for head in heads.indices {
        add(tile, of: UnsafeMutableBufferPointer(rebasing: heads[head...head]), stride: stride, next: next)
      }
      return
    }
    let block = heads[0].block
    guard !rows.isEmpty, let tileKeys = keys.stretch(tile, block),
      let tileValues = values.stretch(tile, block)
    else { return }
    let streamed = StreamedTile(
      rows: rows, work: heads[0].work, heads: heads.count, stride: stride, scoreHeadStride: stride)
    multiply(tileKeys, streamed, heads[0].form) { values.run(within: $0, of: tileValues) }
    for head in heads { tileRows.weigh(tile, rows, of: head.block, head.work) }
    sum(tileValues, streamed) { row in next.flatMap { keys.run(within: row, of: $0) } }
  }

  /// Computes the scores of a tile.
  ///
  /// - Parameter next: finds what is read after the keys.
  func multiply(
    _ keys: StreamStretch, _ tile: StreamedTile, _ form: StreamedQueries, next: (_ row: Int) -> RowRun?
  ) {
    let heads = StreamHeads(
      count: tile.heads, scratch: tile.work.packedKeys, stride: tile.stride, runs: tile.work.runs)
    self.keys.forEachPiece(of: keys, heads: heads, next: next) { piece, stream, type in
      multiply(
        stream, type, form, tile.work, tile.rows, at: piece.lowerBound, stride: tile.stride,
        scoreHeadStride: tile.scoreHeadStride)
    }
  }

  /// Adds the weighted values of a tile to the outputs.
  ///
  /// - Parameter next: finds what is read after the values.
  func sum(_ values: StreamStretch, _ tile: StreamedTile, next: (_ row: Int) -> RowRun?) {
    let heads = StreamHeads(
      count: tile.heads, scratch: tile.work.packedValues, stride: tile.stride, runs: tile.work.runs)
    self.values.forEachPiece(of: values, heads: heads, next: next) { piece, stream, type in
      sum(
        stream, type, tile.work, tile.rows, at: piece.lowerBound, stride: tile.stride,
        scoreHeadStride: tile.scoreHeadStride)
    }
  }

  /// Computes the scores of some rows with a piece of the keys, which is `place` keys into the tile.
  ///
  /// - Parameters:
  ///   - stride: from a head's workspace to the next head's, in Floats.
  ///   - scoreHeadStride: from its scores to the next head's.
  func multiply(
    _ keys: CAttentionKernels_stream, _ type: RowStorage, _ form: StreamedQueries,
    _ work: TileWorkspace<Float>, _ rows: Range<Int>, at place: Int, stride: Int, scoreHeadStride: Int
  ) {
    let (first, depth) = (rows.lowerBound, problem.sizes.headDimension)
    let (kernel, queries) = stream.products(of: type, form, work, from: first * depth)
    var products = CAttentionKernels_products(
      keys: keys, queries: queries, query_stride: depth, query_count: rows.count,
      query_scales: UnsafePointer(work.queryScales + first), scale: factors.products,
      scores: work.scores + first * work.scoreStride + place, score_stride: work.scoreStride,
      work_stride: stride, score_head_stride: scoreHeadStride)
    kernel(&products)
  }

  /// Adds a piece of the weighted values to the outputs of some rows.
  func sum(
    _ values: CAttentionKernels_stream, _ type: RowStorage, _ work: TileWorkspace<Float>, _ rows: Range<Int>,
    at place: Int, stride: Int, scoreHeadStride: Int
  ) {
    let (first, width) = (rows.lowerBound, problem.sizes.valueDimension)
    // What was summed before comes to the new scale once.
    var sums = CAttentionKernels_sums(
      values: values, weights: work.scores + first * work.scoreStride + place,
      weight_stride: work.scoreStride,
      row_count: rows.count, rescale: place == 0 ? UnsafePointer(work.softmax.rescale + first) : nil,
      output: work.output + first * width, output_stride: width, work_stride: stride,
      weight_head_stride: scoreHeadStride)
    kernels.streamSums(type)(&sums)
  }
}

/// The rows of neighbouring heads that see a tile, each head in a workspace of its own.
struct StreamedTile {
  let rows: Range<Int>
  /// That of the first head.
  let work: TileWorkspace<Float>
  let heads: Int
  /// From a head's workspace to the next head's, and from its scores to the next head's, in Floats.
  let stride: Int
  let scoreHeadStride: Int
}
