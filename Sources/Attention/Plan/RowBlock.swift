/// Consecutive query rows of one key/value head, its query heads stacked: row `r` is query `r / G`, head `r % G` of `G` heads.
struct RowBlock {
  let sequence: Int
  let extent: SequenceExtent
  let keyValueHead: Int
  /// The query heads: those of the key/value head's group, or some of them.
  let heads: Range<Int>
  let rows: Range<Int>

  /// The query that the block's `row`-th row stands for.
  func index(_ row: Int) -> RowIndex {
    let (query, member) = (rows.lowerBound + row).quotientAndRemainder(dividingBy: heads.count)
    return RowIndex(
      sequence: sequence, head: heads.lowerBound + member, query: query,
      row: extent.queryStart + query)
  }
}

extension AttentionProblem {
  /// Finds the keys that each row of a block sees, and what they see together. Rules are asked once for each query. The queries' ranges
  /// are written first; then each row gets that of its query, from the last row on, so that none is overwritten before it is read.
  func findRanges(_ block: RowBlock, _ ranges: VisibleRanges) -> KeyExtent {
    var extent = KeyExtent()
    if block.rows.isEmpty { return extent }
    let heads = block.heads.count
    let (first, last) = (block.rows.lowerBound / heads, (block.rows.upperBound - 1) / heads)
    visibility.findRanges(sequence: block.sequence, queries: first..<last + 1, ranges)
    for query in 0...last - first {
      extent.add(ranges.range(query), hole: hasHoles ? ranges.hole(query) : 0..<0)
    }
    if heads == 1 { return extent }
    for row in block.rows.reversed() {
      ranges.copy(row / heads - first, to: row - block.rows.lowerBound, withHoles: hasHoles)
    }
    return extent
  }
}

/// The keys that a block of rows sees: those that some row sees, and among them those that all of these rows see.
struct KeyExtent {
  private var some = Int.max..<Int.max
  private var all = 0..<Int.max

  /// From the first to the last key that some row sees; empty where no row sees any.
  var seenBySome: Range<Int> { some.isEmpty ? 0..<0 : some }

  /// What no row sees between keys that some row sees.
  private(set) var hiddenFromAll = 0..<Int.max

  /// Takes the visible keys of another row into account: those of a range without its hole.
  mutating func add(_ visible: Range<Int>, hole: Range<Int>) {
    if visible.isEmpty { return }
    hiddenFromAll = hole.isEmpty ? 0..<0 : hiddenFromAll.clamped(to: hole)
    some =
      some.isEmpty
      ? visible
      : min(some.lowerBound, visible.lowerBound)..<max(some.upperBound, visible.upperBound)
    let lower = max(all.lowerBound, hole.isEmpty ? visible.lowerBound : hole.upperBound)
    all = lower..<max(lower, min(all.upperBound, visible.upperBound))
  }

  /// Cuts the keys into tiles from the first on: wide ones of equal size where all rows see all keys, narrow ones at the edges.
  func forEachTile(widest: Int, edge: Int, _ body: (Range<Int>) -> Void) {
    if some.isEmpty { return }
    let (first, last) = (some.lowerBound, some.upperBound)
    var (left, right) = (first, last)
    if last - first > edge && all != some {
      // Whole edge tiles on both sides: what they take from the middle is computed all the same.
      left = min(last, first + roundedUp(min(all.lowerBound, last) - first, edge))
      let middle = max(0, min(all.upperBound, last) - left)
      right = left + middle / edge * edge
    }
    forEachPart(of: first..<left, atMost: edge, body)
    forEachPart(of: left..<right, atMost: widest, body)
    forEachPart(of: right..<last, atMost: edge, body)
  }

  private func forEachPart(of keys: Range<Int>, atMost limit: Int, _ body: (Range<Int>) -> Void) {
    if keys.isEmpty { return }
    let parts = (keys.count + limit - 1) / limit
    // Whole vectors: a part of 16 n keys wastes no lanes.
    let size = min(limit, roundedUp((keys.count + parts - 1) / parts, 16))
    var start = keys.lowerBound
    while start < keys.upperBound {
      let end = min(start + size, keys.upperBound)
      body(start..<end)
      start = end
    }
  }

  private func roundedUp(_ count: Int, _ step: Int) -> Int { (count + step - 1) / step * step }
}
