/// The blocks of the keys that some row sees, in the order in which they are computed. Each starts at a multiple of their size, or where
/// positions are missing before a row; only those before such a row and the last keys' may be shorter. Blocks that no row sees are left out.
struct KeyBlocks {
  private let seen: Range<Int>
  private let size: Int
  private let startsWithLast: Bool
  /// The row that starts a block beside those at multiples of the size; nil for none.
  private let cut: Int?
  /// Blocks that are left out, by their places among all.
  private let left: Range<Int>
  private let all: Int

  init(
    _ seen: Range<Int>, hiddenFromAll: Range<Int>, _ positions: KeyPositions, size: Int, startsWithLast: Bool
  ) {
    self.seen = seen
    self.size = size
    self.startsWithLast = startsWithLast
    let (kept, isMissing) = (positions.kept, positions.skipped > 0)
    let first = seen.lowerBound / size
    cut =
      isMissing && kept > first * size && kept < seen.upperBound && !kept.isMultiple(of: size) ? kept : nil
    all = (seen.upperBound + size - 1) / size - first + (cut == nil ? 0 : 1)
    let lower = max(0, (hiddenFromAll.lowerBound + size - 1) / size - first)
    let upper = hiddenFromAll.upperBound / size - first
    // Behind the block that the cut parts, places are one further.
    let parted = cut.map { $0 / size - first } ?? Int.max
    left =
      hiddenFromAll.isEmpty || lower >= upper
      ? 0..<0 : lower + (lower > parted ? 1 : 0)..<upper + (upper > parted ? 1 : 0)
  }

  var count: Int { all - left.count }

  /// The keys of a block; none past the last block.
  subscript(index: Int) -> Range<Int> {
    if index >= count { return 0..<0 }
    var place = startsWithLast ? count - 1 - index : index
    if !left.isEmpty && place >= left.lowerBound { place += left.count }
    guard let cut else { return whole(place) }
    let parted = cut / size - seen.lowerBound / size
    if place < parted { return whole(place) }
    if place > parted + 1 { return whole(place - 1) }
    let block = whole(parted)
    return place == parted ? block.lowerBound..<cut : cut..<block.upperBound
  }

  private func whole(_ place: Int) -> Range<Int> {
    let start = (seen.lowerBound / size + place) * size
    return start..<min(start + size, seen.upperBound)
  }
}
