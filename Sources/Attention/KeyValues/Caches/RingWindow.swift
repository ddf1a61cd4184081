/// A ring: the first rows of a sequence and those of a sliding window, in slots that later positions take over.
///
/// Position `p < kept` stays at slot `p`; position `p ≥ kept` is at slot `kept + (p − kept) mod (capacity − kept)`.
struct RingWindow: Equatable, Sendable {
  let window: Int
  let kept: Int
  let longestAppend: Int
  /// Slots, whole pages of them.
  let capacity: Int

  init(window: Int, keepingFirst kept: Int, longestAppend: Int, pageSize: Int) throws(AttentionError) {
    func check(_ argument: String, _ value: Int, least: Int) throws(AttentionError) {
      guard value >= least, value <= CacheLayout.mostRows / 4 else {
        throw AttentionError(argument, "\(value) given, expected \(least) to \(CacheLayout.mostRows / 4)")
      }
    }
    try check("window", window, least: 0)
    try check("keepingFirst", kept, least: 0)
    try check("longestAppend", longestAppend, least: 1)
    (self.window, self.kept, self.longestAppend) = (window, kept, longestAppend)
    let pages = (kept + window + longestAppend - 1) / pageSize + 1
    capacity = pages * pageSize
    guard capacity <= CacheLayout.mostRows else {
      throw AttentionError(
        "window", "\(window) given, expected at most \(CacheLayout.mostRows) rows in whole pages")
    }
  }

  /// Slots that positions take in turn.
  var turning: Int { capacity - kept }

  func slot(_ position: Int) -> Int {
    position < kept ? position : kept + (position - kept) % turning
  }

  /// The first position after the kept ones that a query after `count` positions may see.
  func first(_ count: Int) -> Int { max(kept, count - window) }
}

/// Consecutive slots that an append writes: up to the last slot, then from the first that turns.
struct SlotRanges {
  let first: Range<Int>
  let second: Range<Int>

  init(from count: Int, appending rows: Int, ring: RingWindow?) {
    guard let ring, rows > 0 else {
      first = count..<count + rows
      second = 0..<0
      return
    }
    let slot = ring.slot(count)
    let end = min(slot + rows, ring.capacity)
    first = slot..<end
    second = ring.kept..<ring.kept + rows - (end - slot)
  }

  /// The pages below `pageCount` that are written, with their lowest and highest row in question, and whether all rows between are.
  func forEachPage(
    below pageCount: Int, pageSize: Int, _ body: (_ index: Int, _ rows: Range<Int>, _ isWhole: Bool) -> Void
  ) {
    if first.isEmpty { return }
    func rows(_ range: Range<Int>, _ index: Int) -> Range<Int> {
      range.clamped(to: index * pageSize..<(index + 1) * pageSize)
    }
    let (begin, end) = (first.lowerBound / pageSize, (first.upperBound - 1) / pageSize + 1)
    let wrapped =
      second.isEmpty ? 0..<0 : second.lowerBound / pageSize..<(second.upperBound - 1) / pageSize + 1
    for index in begin..<max(begin, min(end, pageCount)) {
      let own = rows(first, index)
      let isInBoth = wrapped.contains(index)
      let low = isInBoth ? rows(second, index).lowerBound : own.lowerBound
      body(index, low - index * pageSize..<own.upperBound - index * pageSize, !isInBoth)
    }
    for index in wrapped where index < begin && index < pageCount {
      let own = rows(second, index)
      body(index, own.lowerBound - index * pageSize..<own.upperBound - index * pageSize, true)
    }
  }
}
