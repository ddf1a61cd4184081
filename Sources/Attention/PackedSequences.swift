/// Where sequences of different lengths lie in tensors that hold them one after the other, without padding.
///
/// Sequence `b` has the query rows `cumulativeQueryLengths[b] ..< cumulativeQueryLengths[b + 1]` of a `[total, H, D]` tensor, and
/// likewise its keys: `cu_seqlens_q` and `cu_seqlens_k` as FlashAttention calls them.
public struct PackedSequences: Hashable, Sendable {
  /// `B + 1` numbers from 0 on that never decrease.
  public let cumulativeQueryLengths: [Int]
  /// `B + 1` numbers from 0 on that never decrease.
  public let cumulativeKeyLengths: [Int]

  /// How many sequences there are.
  public var count: Int { cumulativeQueryLengths.count - 1 }

  /// Sequences between these boundaries.
  ///
  /// - Throws: ``AttentionError`` where a list is empty, does not start at 0, decreases, or the two differ in length.
  public init(cumulativeQueryLengths: [Int], cumulativeKeyLengths: [Int]) throws(AttentionError) {
    for (name, boundaries) in [
      ("cumulativeQueryLengths", cumulativeQueryLengths), ("cumulativeKeyLengths", cumulativeKeyLengths),
    ] {
      guard boundaries.first == 0 else {
        throw AttentionError(
          name,
          "\(boundaries.first.map { "\($0) as the first boundary" } ?? "no boundary") given, expected 0 first"
        )
      }
      for (index, (start, end)) in zip(boundaries, boundaries.dropFirst()).enumerated() where end < start {
        throw AttentionError(
          name, "\(end) after \(start) at \(index + 1) given, expected numbers that never decrease")
      }
    }
    guard cumulativeQueryLengths.count == cumulativeKeyLengths.count else {
      throw AttentionError(
        "cumulativeKeyLengths",
        "\(cumulativeKeyLengths.count) boundaries given, expected \(cumulativeQueryLengths.count) as for the queries"
      )
    }
    self.cumulativeQueryLengths = cumulativeQueryLengths
    self.cumulativeKeyLengths = cumulativeKeyLengths
  }

  /// Sequences of these lengths, each with as many keys as queries unless said otherwise.
  ///
  /// - Throws: ``AttentionError`` where a length is negative, the two lists differ in length, or a sum overflows.
  public init(queryLengths: [Int], keyLengths: [Int]? = nil) throws(AttentionError) {
    try self.init(
      cumulativeQueryLengths: Self.boundaries(queryLengths, "queryLengths"),
      cumulativeKeyLengths: Self.boundaries(keyLengths ?? queryLengths, "keyLengths"))
  }

  private static func boundaries(_ lengths: [Int], _ name: String) throws(AttentionError) -> [Int] {
    var boundaries = [0]
    for length in lengths {
      let (end, overflow) = (boundaries.last ?? 0).addingReportingOverflow(length)
      guard length >= 0, !overflow else {
        throw AttentionError(
          name, "a length of \(length) given, expected 0 or more and a sum that fits an Int")
      }
      boundaries.append(end)
    }
    return boundaries
  }

  /// What each sequence covers; not aligned yet.
  var extents: [SequenceExtent] {
    (0..<count).map { sequence in
      let (queries, keys) = (cumulativeQueryLengths[sequence], cumulativeKeyLengths[sequence])
      return SequenceExtent(
        queryStart: queries, queryCount: cumulativeQueryLengths[sequence + 1] - queries,
        keyStart: keys, keyCount: cumulativeKeyLengths[sequence + 1] - keys)
    }
  }

  /// Throws where a boundary lies past the end of its tensor.
  func check(queries: Int, keys: Int) throws(AttentionError) {
    for (name, boundaries, rows, tensor) in [
      ("cumulativeQueryLengths", cumulativeQueryLengths, queries, "queries"),
      ("cumulativeKeyLengths", cumulativeKeyLengths, keys, "keys"),
    ] {
      if let last = boundaries.last, last > rows {
        throw AttentionError(name, "sequences end at \(last), but the \(tensor) have \(rows) rows")
      }
    }
  }
}
