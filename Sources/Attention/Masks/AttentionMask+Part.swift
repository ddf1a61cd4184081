/// Which scores of a whole problem a call on part of its queries and keys computes.
package struct ScorePart: Sendable {
  /// The index of the sequence in the batch.
  package let sequence: Int
  /// Counted in the sequence.
  package let queries: Range<Int>
  /// Counted in the sequence.
  package let keys: Range<Int>
  /// Query heads.
  package let heads: Range<Int>
  /// Query 0 of the whole sequence has this position among the keys.
  package let offset: Int

  package init(sequence: Int, queries: Range<Int>, keys: Range<Int>, heads: Range<Int>, offset: Int) {
    (self.sequence, self.queries, self.keys, self.heads) = (sequence, queries, keys, heads)
    self.offset = offset
  }
}

extension AttentionMask {
  /// The rules of the whole for part of it, as a call on that part alone takes them beside keys that start at `part.keys.lowerBound`
  /// (``KeyValues/starting(at:)``).
  ///
  /// Tensors become views. Range rules stay as they are: they count positions.
  /// - Precondition: tensors broadcast to the scores of the whole. A part that starts after key 0 ends where tensors do (``keyLimit(of:)``): a single
  ///   column that is left would hold for all of its keys.
  package func part(_ part: ScorePart) -> AttentionMask {
    var mask = self
    mask.alignments = [.offset(part.offset + part.queries.lowerBound)]
    mask.visibilityMasks = visibilityMasks.map { mask in
      AnyTensor(mask).part(part).tensor(as: Bool.self) ?? mask
    }
    mask.biases = biases.map { $0.part(part) }
    mask.alibiSlopes = alibiSlopes.map { Array($0[part.heads]) }
    return mask
  }

  /// The keys from here on are hidden, since a tensor has no column for them.
  ///
  /// - Parameter keyCount: how many keys the longest sequence has.
  package func keyLimit(of keyCount: Int) -> Int {
    (visibilityMasks.map { AnyTensor($0) } + biases).reduce(keyCount) { limit, tensor in
      guard let last = tensor.shape.last, last != 1 else { return limit }
      return min(limit, last)
    }
  }

  /// Whether code of the caller's changes scores; it is told where a score stands in the call, which is not where it stands in the whole.
  package var hasModifiers: Bool { !modifiers.isEmpty }

  /// Whether some rule is a tensor.
  package var hasTensors: Bool { !visibilityMasks.isEmpty || !biases.isEmpty }

  /// The rule for where queries stand among keys; bottom-right where none is given.
  package var alignment: QueryAlignment { alignments.first ?? .bottomRight }

  /// The keys that some of these queries may see as far as ranges say: ranges in ascending order, two where first keys are kept beside a window.
  ///
  /// Cost: each rule is asked about each query.
  /// - Throws: ``AttentionError`` where a rule refuses its own numbers.
  package func keysSeen(
    sequence: Int, by queries: Range<Int>, offset: Int, keyCount: Int
  ) throws(AttentionError) -> [Range<Int>] {
    let extent = SequenceExtent(queryCount: queries.upperBound, keyCount: keyCount, offset: offset)
    let visibility = try KeyVisibility(self, .same(extent))
    if visibility.isUnrestricted { return keyCount == 0 || queries.isEmpty ? [] : [0..<keyCount] }
    // The keys before any row's hole, and those after it.
    var kept = Span()
    var seen = Span()
    for query in queries {
      let keys = visibility.visibleKeys(sequence: sequence, query: query)
      if keys.hole.isEmpty {
        seen.cover(keys.range)
      } else {
        kept.cover(keys.range.lowerBound..<keys.hole.lowerBound)
        seen.cover(keys.hole.upperBound..<keys.range.upperBound)
      }
    }
    switch (kept.range, seen.range) {
    case (nil, nil): return []
    case (let range?, nil), (nil, let range?): return [range]
    case (let first?, let second?):
      if first.upperBound < second.lowerBound { return [first, second] }
      return [
        min(first.lowerBound, second.lowerBound)..<max(first.upperBound, second.upperBound)
      ]
    }
  }
}

/// The least range that covers others.
private struct Span {
  private(set) var range: Range<Int>?

  mutating func cover(_ other: Range<Int>) {
    if other.isEmpty { return }
    let known = range ?? other
    range = min(known.lowerBound, other.lowerBound)..<max(known.upperBound, other.upperBound)
  }
}

extension AnyTensor {
  /// The part of a tensor that broadcasts to scores `[B, Hq, Tq, Tk]`; axes of 1 stay.
  fileprivate func part(_ part: ScorePart) -> AnyTensor {
    var tensor = self
    let ranges = [part.sequence..<part.sequence + 1, part.heads, part.queries, part.keys]
    for (range, axis) in zip(ranges.reversed(), stride(from: rank - 1, through: 0, by: -1))
    where shape[axis] != 1 {
      // The last axis may be short.
      tensor = tensor.sliced(axis: axis, range.clamped(to: 0..<shape[axis]))
    }
    return tensor
  }
}

extension AttentionMask {
  /// The rules of the whole for all queries over some keys of each sequence.
  ///
  /// - Parameters:
  ///   - part: the keys, standing at their positions.
  ///   - offsets: the position of query 0 of each sequence among the keys of the whole.
  ///   - keyCounts: how many keys each sequence has in the whole.
  /// - Throws: ``AttentionError`` where keys do not fit, or a tensor would need other columns for each sequence.
  package func columns(
    of part: KeyValues, aligned offsets: [Int], _ keyCounts: [Int]
  ) throws(AttentionError) -> AttentionMask {
    var mask = self
    mask.alignments = [.offsets(offsets)]
    if !hasTensors { return mask }
    let sizes = try part.sources().sizes
    guard let first = part.commonStart else {
      throw AttentionError(
        "mask",
        "a tensor given beside keys that start at positions of their own in each sequence, expected one position"
      )
    }
    let columns = first..<first + sizes.count
    mask.visibilityMasks = visibilityMasks.map { mask in
      AnyTensor(mask).columns(columns).tensor(as: Bool.self) ?? mask
    }
    mask.biases = biases.map { $0.columns(columns) }
    // A tensor that ends among these keys may be left with a single column, which alone would hold for all of them.
    mask.rangeRules.append(KeysBelow(limit: keyLimit(of: keyCounts.max() ?? 0)))
    return mask
  }
}

extension AnyTensor {
  /// Some of the columns of a mask, as far as it has them; a last axis of 1 stays.
  fileprivate func columns(_ columns: Range<Int>) -> AnyTensor {
    guard let last = shape.last, last != 1 else { return self }
    return sliced(axis: rank - 1, columns.clamped(to: 0..<last))
  }
}

/// `j < limit`
private struct KeysBelow: KeyRangeRule {
  let limit: Int
  var description: String { "keys below \(limit)" }
  func visibleKeys(of query: QueryPlace) -> Range<Int> { query.keys(from: 0, through: limit - 1) }
}

extension AttentionMask {
  /// The rules of some query heads.
  ///
  /// - Precondition: tensors broadcast to the scores of all heads.
  package func heads(_ heads: Range<Int>) -> AttentionMask {
    var mask = self
    func part(_ tensor: AnyTensor) -> AnyTensor {
      guard tensor.rank >= 3, tensor.shape[tensor.rank - 3] != 1 else { return tensor }
      return tensor.sliced(axis: tensor.rank - 3, heads)
    }
    mask.visibilityMasks = visibilityMasks.map { part(AnyTensor($0)).tensor(as: Bool.self) ?? $0 }
    mask.biases = biases.map(part)
    mask.alibiSlopes = alibiSlopes.map { Array($0[heads]) }
    return mask
  }
}
