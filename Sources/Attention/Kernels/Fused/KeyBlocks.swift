/// The blocks of the keys that some row sees, in the order in which they are computed. Each starts at a multiple of their size; only the
/// last keys' may be shorter.
struct KeyBlocks {
  private let seen: Range<Int>
  private let size: Int
  private let startsWithLast: Bool

  init(_ seen: Range<Int>, size: Int, startsWithLast: Bool) {
    self.seen = seen
    self.size = size
    self.startsWithLast = startsWithLast
  }

  private var first: Int { seen.lowerBound / size }
  var count: Int { (seen.upperBound + size - 1) / size - first }

  /// The keys of a block; none past the last block.
  subscript(index: Int) -> Range<Int> {
    if index >= count { return 0..<0 }
    let start = (startsWithLast ? first + count - 1 - index : first + index) * size
    return start..<min(start + size, seen.upperBound)
  }
}
