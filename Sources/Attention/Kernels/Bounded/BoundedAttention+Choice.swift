import CAttentionKernels

// The second pass: which low bytes are read.

extension BoundedAttention {
  /// Finds, for a row, the threshold for the terms of each tile above which low bytes are read: of few candidates the largest that leaves
  /// unread what the tolerance allows.
  func choose(_ row: BoundedRow) {
    let record = row.record
    let tiles = record.tiles(row.row)
    if record.wantsWhole[row.row] { return }
    var largest = -Float.infinity
    for tile in tiles { largest = max(largest, tile.maximum) }
    if largest == -.infinity { return }
    let sink = problem.sinks.map { Double($0[row.index.head]) } ?? -.infinity
    let maximum = Double(largest)
    var (sum, total) = (Double.exponential(sink - maximum), 0.0)
    for tile in tiles where tile.sum > 0 {
      let factor = Double.exponential(Double(tile.maximum) - maximum)
      sum += factor * Double(tile.sum)
      total += factor * Double(tile.total)
    }
    let bounds = WeightBounds(tolerance: tolerance, parts: row.unit.tiles.parts)
    let error = error(of: record.errors[row.row].read, record, maximum: largest)
    let allowed = bounds.unreadShare(error: error) * sum
    // NaN fails too, as where an error is infinite.
    guard allowed > 0 else {
      record.wantsWhole[row.row] = true
      return
    }
    let threshold = total <= allowed ? Double.infinity : self.threshold(row, maximum, allowed)
    for index in tiles.indices where tiles[index].sum > 0 {
      let factor = Double.exponential(maximum - Double(tiles[index].maximum))
      // An infinite term is above any threshold but that of a row that reads nothing.
      tiles[index].threshold =
        threshold == .infinity ? .infinity : min(Float(threshold * factor), .greatestFiniteMagnitude)
    }
  }

  /// In units of the row's largest weight.
  private func threshold(_ row: BoundedRow, _ maximum: Double, _ allowed: Double) -> Double {
    // As many terms as there are keys, none above this, add up to no more than is allowed.
    let least = allowed / Double(row.unit.group.extent.keyCount) * (1 - 0x1p-10)
    let count = Int(CAttentionKernels_thresholds)
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { memory in
      guard let thresholds = memory.baseAddress else { return least }
      let sums = thresholds + count
      var totals = SIMD8<Double>()
      for (number, tile) in row.record.tiles(row.row).enumerated() where tile.sum > 0 {
        let factor = Double.exponential(Double(tile.maximum) - maximum)
        for step in 0..<count { thresholds[step] = Float(least * Double(1 << step) / factor) }
        sums.update(repeating: 0, count: count)
        let keys = row.unit.tiles.keys(ofTile: number, of: row.unit.group.extent.keyCount)
        kernels.pointee.sums_below(
          row.record.terms + row.row * row.record.keyStride + keys.lowerBound, keys.count, thresholds, sums)
        for step in 0..<count { totals[step] += factor * Double(sums[step]) }
      }
      var best = 0
      for step in 1..<count where totals[step] <= allowed { best = step }
      return least * Double(1 << best)
    }
  }

  /// By how much a score can be off whose key was read: its product, and what rules added to scores that weigh anything.
  ///
  /// - Parameter factor: what a key's length is multiplied with.
  func error(of factor: Float, _ record: BlockRecord, maximum: Float) -> Double {
    let rules = problem.scoring.isEmpty ? 0 : (Double(abs(maximum)) + 104) * 0x1p-22
    return Double(factor) * record.longestKey + rules
  }
}
