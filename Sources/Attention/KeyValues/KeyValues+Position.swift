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
  public func starting(at position: Int) -> KeyValues { moved(to: .same(position)) }

  /// The same where each sequence has a first position of its own.
  ///
  /// - Parameter positions: one a sequence; a call refuses another number of them.
  public func starting(at positions: [Int]) -> KeyValues { moved(to: .each(positions)) }

  private func moved(to start: Start) -> KeyValues {
    if case .moved(let moved) = storage { return moved.base.moved(to: start) }
    return KeyValues(storage: .moved(Moved(self, start)))
  }

  private init(storage: Storage) { self.storage = storage }

  /// Keys that start at positions of their own. A class, so that keys from 0 on carry no positions through each call.
  final class Moved: Sendable {
    let base: KeyValues
    let start: Start

    init(_ base: KeyValues, _ start: Start) { (self.base, self.start) = (base, start) }
  }

  /// Where first rows stand.
  enum Start: Sendable {
    case same(Int)
    case each([Int])

    func of(_ sequence: Int) -> Int {
      switch self {
      case .same(let position): position
      case .each(let positions): positions[sequence]
      }
    }

    /// The position of all sequences, where there is one.
    var common: Int? {
      switch self {
      case .same(let position): return position
      case .each(let positions):
        guard let first = positions.first, positions.allSatisfy({ $0 == first }) else { return nil }
        return first
      }
    }
  }

  /// The position of the first row of all sequences; nil where they differ.
  var commonStart: Int? {
    if case .moved(let moved) = storage { return moved.start.common }
    return 0
  }
}

extension KeyValues.Moved {
  /// The rows of the base, where they can stand where they are said to.
  func sources() throws(AttentionError) -> KeyValueSources {
    let sources = try base.sources()
    let batch = sources.sizes.batch
    if case .each(let positions) = start, positions.count != batch {
      throw AttentionError(
        "keyValues", "\(positions.count) first positions given, expected one for each of \(batch) sequences")
    }
    // Without elements there may be any number of sequences, which are alike then.
    for sequence in 0..<(base.fillsTensors && start.common != nil ? min(1, batch) : batch) {
      let (first, count) = (start.of(sequence), base.length(sequence))
      let (end, overflow) = first.addingReportingOverflow(count)
      guard first >= 0, !overflow, Int32(exactly: end) != nil else {
        throw AttentionError(
          "keyValues",
          "\(count) keys that start at position \(first) given, expected positions in 0...\(Int32.max)"
        )
      }
      guard base.positions(sequence).skipped == 0 else {
        throw AttentionError(
          "keyValues",
          "a ring that has overwritten rows of sequence \(sequence) given, expected rows without gaps to start at position \(first)"
        )
      }
    }
    return sources
  }
}
