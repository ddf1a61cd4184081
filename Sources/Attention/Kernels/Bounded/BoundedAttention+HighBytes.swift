import CAttentionKernels

// The first pass: scores from high bytes, and by how much each weight can be off.

extension BoundedAttention {
  /// Computes the scores of a part of a unit's keys from their high bytes, and the terms of the bound.
  func readHighBytes(_ unit: BoundedUnit, part: Int, _ memory: BoundedMemory) {
    withHeads(of: unit, memory) { heads in
      var seen = 0..<0
      for head in heads { seen = tileRows.prepare(head.block, head.work).seenBySome }
      withUnsafeTemporaryAllocation(of: Bool.self, capacity: heads.count) { areWhole in
        for (index, head) in heads.enumerated() {
          let isWhole = !findErrors(head, prepareQueries(head))
          areWhole.initializeElement(at: index, to: isWhole)
          // All parts find the same.
          if part == 0 { keep(head, isWhole: isWhole) }
        }
        if !areWhole.contains(true) {
          return forEachTile(of: unit, part, seen) { recordScores($0, heads, unit, $1, memory) }
        }
        // What a head reads does not depend on its neighbours.
        for index in heads.indices {
          let head = UnsafeMutableBufferPointer(rebasing: heads[index...index])
          forEachTile(of: unit, part, seen) { tile, next in
            if areWhole[index] {
              _ = gatherLengths(tile, head[0], unit, memory)
            } else {
              recordScores(tile, head, unit, next, memory)
            }
          }
        }
      }
    }
  }

  /// Finds by how much scores can be off, and says whether bounds follow from that: not where queries are no integers, where they are huge, nor
  /// where a modifier may make much of a little.
  private func findErrors(_ head: HeadWork, _ form: StreamedQueries) -> Bool {
    let depth = problem.sizes.headDimension
    let lanes = max(1, kernels.pointee.panel_rows / 2)
    var areUsable = form == .integers && !problem.scoring.hasModifiers
    for row in 0..<head.block.rows.count {
      let words = UnsafeRawPointer(head.work.pairedQueries + row * depth)
      let integers = words.assumingMemoryBound(to: Int16.self)
      head.errors[row] = ScoreErrors(
        query: head.work.queries + row * depth, integers: form == .integers ? integers : nil,
        unit: head.work.queryScales[row], factor: decode.factors.products, columns: depth, lanes: lanes,
        hasRules: !problem.scoring.isEmpty)
      areUsable = areUsable && head.errors[row].areUsable
    }
    return areUsable
  }

  private func keep(_ head: HeadWork, isWhole: Bool) {
    head.record.errors.update(from: head.errors, count: head.block.rows.count)
    head.record.wantsWhole.update(repeating: isWhole)
  }

  /// Computes the scores of a tile for some heads, and keeps them and their terms.
  private func recordScores(
    _ tile: Range<Int>, _ heads: UnsafeMutableBufferPointer<HeadWork>, _ unit: BoundedUnit,
    _ rest: Range<Int>, _ memory: BoundedMemory
  ) {
    var rows = 0..<0
    for head in heads { rows = tileRows.rowsSeeing(tile, of: head.block, head.work) }
    guard !rows.isEmpty, let keys = decode.keys.stretch(tile, heads[0].block) else { return }
    let following = decode.keys.stretch(rest, heads[0].block)
    for head in heads { prefetchLengths(tile, head) }
    let streamed = StreamedTile(
      rows: rows, work: heads[0].work(at: tile), heads: heads.count, stride: unit.workspaceStride,
      scoreHeadStride: unit.recordStride)
    decode.multiply(keys, streamed, .integers) { row in
      following.flatMap { decode.keys.run(within: row, of: $0) }
    }
    for head in heads {
      // The products stay for the third pass, which adds to some of them before rules are applied.
      let hasRules = !problem.scoring.isEmpty || problem.hasHoles
      let work = hasRules ? copyProducts(tile, rows, head) : head.work(at: tile)
      tileRows.score(tile, rows, of: head.block, work)
      let lengths = gatherLengths(tile, head, unit, memory)
      for row in rows { recordTerms(tile, row, head, work, unit, lengths) }
    }
  }

  /// Copies the products of a tile to the scores of a workspace.
  private func copyProducts(
    _ tile: Range<Int>, _ rows: Range<Int>, _ head: HeadWork
  ) -> TileWorkspace<Float> {
    for row in rows {
      (head.work.scores + row * head.work.scoreStride)
        .update(from: head.record.scores + row * head.record.keyStride + tile.lowerBound, count: tile.count)
    }
    return head.work
  }

  private func recordTerms(
    _ tile: Range<Int>, _ row: Int, _ head: HeadWork, _ work: TileWorkspace<Float>, _ unit: BoundedUnit,
    _ lengths: UnsafePointer<UInt32>
  ) {
    let (record, errors) = (head.record, head.errors[row])
    var bound = CAttentionKernels_bound_terms()
    bound.scores = UnsafePointer(work.scores + row * work.scoreStride)
    (bound.lengths, bound.count) = (UnsafeRawPointer(lengths), tile.count)
    (bound.norm_factor, bound.residual_factor) = (errors.norm, errors.residual)
    bound.terms = record.terms + row * record.keyStride + tile.lowerBound
    kernels.pointee.bound_terms(&bound)
    record.tiles(row)[unit.tiles.number(ofTileAt: tile.lowerBound)] = TileTerms(
      maximum: bound.maximum, sum: bound.sum, total: bound.total, threshold: .infinity, rest: 0)
  }

  /// Prefetches the lengths of a tile's keys, which lie apart from page to page: they arrive while high bytes are read.
  private func prefetchLengths(_ tile: Range<Int>, _ head: HeadWork) {
    var place = 0
    problem.keys.forEachRun(head.block.sequence, head.block.keyValueHead, from: tile.lowerBound) { run in
      let count = min(run.count, tile.count - place)
      CAttentionKernels_prefetch(run.low.lengths, count * MemoryLayout<UInt32>.stride)
      place += count
      return place < tile.count
    }
  }

  /// Brings the lengths of a tile's keys side by side; keeps the largest.
  private func gatherLengths(
    _ tile: Range<Int>, _ head: HeadWork, _ unit: BoundedUnit, _ memory: BoundedMemory
  ) -> UnsafePointer<UInt32> {
    var place = 0
    problem.keys.forEachRun(head.block.sequence, head.block.keyValueHead, from: tile.lowerBound) { run in
      let count = min(run.count, tile.count - place)
      guard let lengths = run.low.lengths else { preconditionFailure("keys of two planes without lengths") }
      (memory.lengths + place).update(from: lengths, count: count)
      place += count
      return place < tile.count
    }
    head.record.longestKeys[unit.tiles.number(ofTileAt: tile.lowerBound)] =
      kernels.pointee.largest_length(memory.lengths, tile.count)
    return UnsafePointer(memory.lengths)
  }
}
