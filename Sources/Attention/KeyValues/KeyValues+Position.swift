extension KeyValues {
  /// The same keys and values as part of longer sequences: the first row of each sequence stands at `position`, the next one at the position
  /// after it, and so on.
  ///
  ///     // Keys 4096 ..< 8192 of a sequence of 10,000, under the last of its queries
  ///     let attend = ScaledDotProductAttention(mask: .causal(.offset(9_999)))
  ///     let (y, lse) = try attend.withLogSumExp(q, KeyValues(keys: k, values: v).starting(at: 4096))
  ///
  /// Causal masks, windows, ALiBi, modifiers and rules of your own count positions: attention over parts, merged by ``mergeAttention(_:on:)``,
  /// is attention over the whole. Bottom-right alignment puts the last query on the last of these keys. Tensors of masks have a column for each
  /// row that is here. Copies nothing.
  ///
  /// - Parameter position: the same for all sequences. A call refuses positions outside of `0...2³¹ − 1`, and rings that have overwritten rows.
  public func starting(at position: Int) -> KeyValues {
    var part = self
    part.start = .same(position)
    return part
  }

  /// The same where each sequence has a first position of its own.
  ///
  /// - Parameter positions: one a sequence; a call refuses another number of them.
  public func starting(at positions: [Int]) -> KeyValues {
    var part = self
    part.start = .each(positions)
    return part
  }

  /// Where first rows stand.
  package enum Start: Sendable {
    case same(Int)
    case each([Int])

    /// Whether no sequence was given another position than 0.
    var isZero: Bool { if case .same(0) = self { true } else { false } }

    /// The position of all of so many sequences; nil where they differ.
    func common(of batch: Int) -> Int? {
      switch self {
      case .same(let position): return position
      case .each(let positions):
        guard let first = positions.first else { return 0 }
        return positions.allSatisfy { $0 == first } ? first : nil
      }
    }

    func of(_ sequence: Int) -> Int {
      switch self {
      case .same(let position): position
      case .each(let positions): positions[sequence]
      }
    }
  }

  /// Throws where rows cannot stand where they are said to.
  func checkPositions(_ sizes: KeyValueSizes) throws(AttentionError) {
    if start.isZero { return }
    if case .each(let positions) = start, positions.count != sizes.batch {
      throw AttentionError(
        "keyValues",
        "\(positions.count) first positions given, expected one for each of \(sizes.batch) sequences")
    }
    // Without elements there may be any number of sequences, which are alike then.
    for sequence in 0..<(fillsTensors ? min(1, sizes.batch) : sizes.batch) {
      let first = start.of(sequence)
      let (end, overflow) = first.addingReportingOverflow(length(sequence))
      guard first >= 0, !overflow, Int32(exactly: end) != nil else {
        throw AttentionError(
          "keyValues",
          "\(length(sequence)) keys that start at position \(first) given, expected positions in 0...\(Int32.max)"
        )
      }
      if case .cached(let cached) = storage, cached.view.sequences[sequence].skipped > 0 {
        throw AttentionError(
          "keyValues",
          "a ring that has overwritten rows of sequence \(sequence) given, expected rows without gaps to start at position \(first)"
        )
      }
    }
  }
}
