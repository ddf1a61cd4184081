// After the last part of a unit: rows and their bounds.

extension BoundedAttention {
  /// Merges the parts of a unit, and writes its rows and their bounds.
  func finish(_ unit: BoundedUnit, _ memory: BoundedMemory) {
    withHeads(of: unit, memory) { heads in
      for index in heads.indices {
        let head = UnsafeMutableBufferPointer(rebasing: heads[index...index])
        if merge(head[0], of: unit) { continue }
        // The weights' sum fell by more than was kept back.
        head[0].record.wantsWhole.update(repeating: true)
        for part in 0..<unit.tiles.parts { average(head, of: unit, part: part, memory) }
        _ = merge(head[0], of: unit)
      }
    }
  }

  /// Whether the rows of a block keep to the tolerance, or nothing is left to read; writes them then.
  private func merge(_ head: HeadWork, of unit: BoundedUnit) -> Bool {
    tileRows.findRanges(head.block, head.work)
    partial.merge(into: head.work, head.block, head.number, of: unit.group, kernels)
    let bounds = WeightBounds(tolerance: tolerance, parts: unit.tiles.parts)
    let isWhole = head.record.isWhole
    for row in 0..<head.block.rows.count {
      let bound = bound(row, head, isWhole, bounds)
      // NaN is no bound either.
      if !(bound <= tolerance) && !isWhole { return false }
      let rounded = bound == 0 ? 0 : bound.isFinite ? Float(bound).nextUp : .infinity
      self.bounds.set(rounded, head.block.index(row))
    }
    tileRows.finish(head.block, probe: unit.tiles.keys, head.work)
    return true
  }

  private func bound(_ row: Int, _ head: HeadWork, _ isWhole: Bool, _ bounds: WeightBounds) -> Double {
    let softmax = head.work.softmax
    // What follows is of what a row sees; a modifier may make much of a little.
    if head.work.ranges.range(row).isEmpty { return 0 }
    if problem.scoring.hasModifiers { return .infinity }
    // All scores are −∞: the row is 0, or computed in Double from both planes.
    if softmax.isEmpty(row) { return bounds.bound(unread: 0, error: 0) }
    let (maximum, sum) = (softmax.maximum[row], softmax.sum[row])
    let sink = problem.sinks.map { Float($0[head.block.index(row).head]) } ?? -.infinity
    let share = OnlineSoftmax.normalizer(maximum: maximum, sum: sum, sink: sink)
    var unread = 0.0
    for tile in head.record.tiles(row) where tile.rest > 0 {
      unread += Double(tile.rest) * Double.exponential(Double(tile.maximum) - Double(maximum))
    }
    let errors = head.record.errors[row]
    return bounds.bound(
      unread: unread * Double(share),
      error: error(of: isWhole ? errors.whole : errors.read, head.record, maximum: maximum))
  }
}
