/// The keys that a row sees, as far as ranges say: those of `range` that are not in `hole`.
///
/// The hole lies inside the range. It is empty but where a rule keeps the first keys beside a window that has left them.
struct VisibleKeys: Equatable {
  let range: Range<Int>
  let hole: Range<Int>
}

/// Room for the keys that rows see, an entry a row: those of `begin..<end` that are not in `holeBegin..<holeEnd`. Holes are set where the
/// problem has any.
struct VisibleRanges {
  private(set) var begin: UnsafeMutablePointer<Int32>
  private(set) var end: UnsafeMutablePointer<Int32>
  private(set) var holeBegin: UnsafeMutablePointer<Int32>
  private(set) var holeEnd: UnsafeMutablePointer<Int32>

  /// Four arrays, `stride` entries each.
  init(_ memory: UnsafeMutablePointer<Int32>, stride: Int) {
    begin = memory
    end = memory + stride
    holeBegin = end + stride
    holeEnd = holeBegin + stride
  }

  /// How many entries each row takes.
  static let entries = 4

  /// The entries from a row on.
  func from(_ row: Int) -> VisibleRanges {
    var part = self
    part.begin += row
    part.end += row
    part.holeBegin += row
    part.holeEnd += row
    return part
  }

  func range(_ row: Int) -> Range<Int> { Int(begin[row])..<Int(end[row]) }
  func hole(_ row: Int) -> Range<Int> { Int(holeBegin[row])..<Int(holeEnd[row]) }

  func set(_ row: Int, _ keys: VisibleKeys) {
    begin[row] = Int32(truncatingIfNeeded: keys.range.lowerBound)
    end[row] = Int32(truncatingIfNeeded: keys.range.upperBound)
    holeBegin[row] = Int32(truncatingIfNeeded: keys.hole.lowerBound)
    holeEnd[row] = Int32(truncatingIfNeeded: keys.hole.upperBound)
  }

  /// Gives a row what another one has.
  func copy(_ row: Int, to target: Int, withHoles: Bool) {
    begin[target] = begin[row]
    end[target] = end[row]
    if withHoles {
      holeBegin[target] = holeBegin[row]
      holeEnd[target] = holeEnd[row]
    }
  }
}
