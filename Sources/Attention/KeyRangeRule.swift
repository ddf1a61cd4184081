/// A rule that leaves each query one range of keys. A new rule of this kind is a case here and nothing anywhere else.
enum KeyRangeRule: Sendable {
  case causal
  case window(left: Int?, right: Int?)
  case keyLengths([Int])

  /// The keys that this rule lets one query see.
  ///
  /// - Parameters:
  ///   - position: `i + offset`, which may lie outside the keys on either side.
  ///   - sequence: the index in the batch.
  ///   - keyCount: `Tk`.
  func visibleKeys(position: Int, sequence: Int, keyCount: Int) -> Range<Int> {
    switch self {
    case .causal:
      return clamped(from: 0, through: position, to: keyCount)
    case .window(let left, let right):
      return clamped(
        from: left.map { position - $0 } ?? 0, through: right.map { position + $0 } ?? keyCount,
        to: keyCount)
    case .keyLengths(let lengths):
      return 0..<min(lengths[sequence], keyCount)
    }
  }

  private func clamped(from first: Int, through last: Int, to keyCount: Int) -> Range<Int> {
    let lower = min(max(first, 0), keyCount)
    return lower..<max(lower, min(last + 1, keyCount))
  }
}
