import CAttentionKernels

// The third pass: low bytes, weights, values.

extension BoundedAttention {
  /// Reads the low bytes that were chosen of a part of a unit's keys, and averages the values.
  func average(_ unit: BoundedUnit, part: Int, _ memory: BoundedMemory) {
    withHeads(of: unit, memory) { average($0, of: unit, part: part, memory) }
  }

  func average(
    _ heads: UnsafeMutableBufferPointer<HeadWork>, of unit: BoundedUnit, part: Int, _ memory: BoundedMemory
  ) {
    var seen = 0..<0
    for head in heads {
      seen = tileRows.prepare(head.block, head.work).seenBySome
      _ = prepareQueries(head)
      head.work.output.update(repeating: 0, count: head.block.rows.count * problem.sizes.valueDimension)
    }
    forEachTile(of: unit, part, seen) { tile, rest in
      var rows = 0..<0
      for head in heads { rows = tileRows.rowsSeeing(tile, of: head.block, head.work) }
      guard !rows.isEmpty, let values = decode.values.stretch(tile, heads[0].block) else { return }
      for head in heads {
        if head.record.isWhole {
          multiplyWhole(tile, rows, head, unit)
        } else {
          readLowBytes(tile, rows, head, unit, memory)
        }
        tileRows.weigh(tile, rows, of: head.block, head.work(at: tile))
      }
      let following = decode.values.stretch(rest, heads[0].block)
      let streamed = StreamedTile(
        rows: rows, work: heads[0].work(at: tile), heads: heads.count, stride: unit.workspaceStride,
        scoreHeadStride: unit.recordStride)
      decode.sum(values, streamed) { row in
        following.flatMap { decode.values.run(within: row, of: $0) }
      }
    }
    for head in heads { partial.save(head.work, head.block, head.number, part: part, of: unit.group) }
  }

  /// Computes the scores of a tile from both planes, as Floats.
  private func multiplyWhole(_ tile: Range<Int>, _ rows: Range<Int>, _ head: HeadWork, _ unit: BoundedUnit) {
    guard let keys = whole.keys.stretch(tile, head.block) else { return }
    let number = unit.tiles.number(ofTileAt: tile.lowerBound)
    head.record.readCounts[number] = Int32(tile.count)
    for row in rows { head.record.tiles(row)[number].rest = 0 }
    let streamed = StreamedTile(
      rows: rows, work: head.work(at: tile), heads: 1, stride: unit.workspaceStride,
      scoreHeadStride: unit.recordStride)
    whole.multiply(keys, streamed, .floats) { _ in nil }
  }

  /// Adds what low bytes hold to the scores of keys that one of the rows wants exact.
  private func readLowBytes(
    _ tile: Range<Int>, _ rows: Range<Int>, _ head: HeadWork, _ unit: BoundedUnit, _ memory: BoundedMemory
  ) {
    let number = unit.tiles.number(ofTileAt: tile.lowerBound)
    let count = chooseKeys(tile, rows, head, number, memory)
    head.record.readCounts[number] = Int32(count)
    if count == 0 { return }
    let (depth, first) = (problem.sizes.headDimension, rows.lowerBound)
    let work = head.work(at: tile)
    var products = CAttentionKernels_low_products()
    products.columns = depth
    let queries = UnsafeRawPointer(work.pairedQueries + first * depth)
    products.queries = queries.assumingMemoryBound(to: Int16.self)
    (products.query_stride, products.query_count) = (depth, rows.count)
    products.query_scales = UnsafePointer(work.queryScales + first)
    products.scale = decode.factors.products
    products.score_stride = work.scoreStride
    var (place, used) = (0, 0)
    while used < count {
      // As many runs as there is room for, and the keys that were chosen of them.
      let start = place
      place = findRuns(tile, from: start, head, &products)
      let begin = used
      while used < count && Int(memory.chosen[used]) < place {
        memory.chosen[used] -= Int32(truncatingIfNeeded: start)
        used += 1
      }
      products.chosen = UnsafePointer(memory.chosen + begin)
      products.count = used - begin
      products.scores = work.scores + first * work.scoreStride + start
      kernels.pointee.products_from_low(&products)
    }
  }

  /// Finds the runs that hold the keys of a tile from a place on; the place behind the last one.
  private func findRuns(
    _ tile: Range<Int>, from first: Int, _ head: HeadWork, _ products: inout CAttentionKernels_low_products
  ) -> Int {
    let runs = head.work.runs
    var (place, found, low, rowStride) = (first, 0, 0, 0)
    let block = head.block
    problem.keys.forEachRun(block.sequence, block.keyValueHead, from: tile.lowerBound + first) { run in
      // Parts that were joined may lie in pools of their own.
      if found > 0 && (run.low.distance != low || run.rowStride != rowStride) { return false }
      (low, rowStride) = (run.low.distance, run.rowStride)
      runs[found] = CAttentionKernels_run(
        rows: run.base, scales: run.scales.base, count: min(run.count, tile.count - place), next: nil,
        next_stride: 0, next_count: 0, is_short: 0)
      place += runs[found].count
      found += 1
      return place < tile.count && found < StreamSource.mostRuns
    }
    (products.runs, products.low, products.row_stride) = (UnsafePointer(runs), low, rowStride)
    return place
  }

  /// Writes the keys of a tile whose low bytes are read, counted from its first, and keeps what the others may be off by.
  private func chooseKeys(
    _ tile: Range<Int>, _ rows: Range<Int>, _ head: HeadWork, _ number: Int, _ memory: BoundedMemory
  ) -> Int {
    let record = head.record
    for row in rows { memory.thresholds[row] = record.tiles(row)[number].threshold }
    var choice = CAttentionKernels_choice()
    choice.terms = UnsafePointer(record.terms + rows.lowerBound * record.keyStride + tile.lowerBound)
    (choice.term_stride, choice.rows, choice.count) = (record.keyStride, rows.count, tile.count)
    choice.thresholds = UnsafePointer(memory.thresholds + rows.lowerBound)
    choice.chosen = memory.chosen
    choice.rest = memory.rest + rows.lowerBound
    let count = kernels.pointee.choose(&choice)
    for row in rows { record.tiles(row)[number].rest = memory.rest[row] }
    return count
  }
}
