/// A rule that leaves each query one range of keys. A new rule of this kind is a case here and nothing anywhere else.
enum KeyRangeRule: Sendable {
  case causal
  case window(left: Int?, right: Int?)
  case keyLengths([Int])
  case first(Int)

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
      return 0..<lengths[sequence]
    case .first(let count):
      return 0..<min(count, keyCount)
    }
  }

  /// As it is written in a mask.
  var description: String {
    switch self {
    case .causal: return "causal"
    case .window(let left, let right):
      let sides = [left.map { "left: \($0)" }, right.map { "right: \($0)" }].compactMap(\.self)
      return "window(\(sides.joined(separator: ", ")))"
    case .keyLengths(let lengths): return "keyLengths\(lengths)"
    case .first(let count): return "first(\(count))"
    }
  }

  /// The rule with its numbers checked against a problem's sizes.
  func checked(_ sizes: AttentionSizes) throws(AttentionError) -> KeyRangeRule {
    switch self {
    case .causal, .first:
      return self
    case .window(let left, let right):
      for (side, reach) in [("left", left), ("right", right)] {
        if let reach, reach < 0 {
          throw AttentionError("mask", "a window of \(reach) keys to the \(side) given, expected 0 or more")
        }
      }
      // Positions fit 33 bits, so a reach cut to 34 still passes every key, and sums cannot overflow.
      let farthest = 1 << 34
      return .window(left: left.map { min($0, farthest) }, right: right.map { min($0, farthest) })
    case .keyLengths(let lengths):
      guard lengths.count == sizes.batch else {
        throw AttentionError("mask", "\(lengths.count) key lengths given for \(sizes.batch) sequences")
      }
      for length in lengths where length < 0 || length > sizes.keyCount {
        throw AttentionError("mask", "a key length of \(length) given, expected 0...\(sizes.keyCount)")
      }
      return self
    }
  }

  private func clamped(from first: Int, through last: Int, to keyCount: Int) -> Range<Int> {
    let lower = min(max(first, 0), keyCount)
    return lower..<max(lower, min(last + 1, keyCount))
  }
}
