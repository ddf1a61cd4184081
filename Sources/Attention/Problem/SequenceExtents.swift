/// How many queries and keys a sequence has, where its queries start in their tensor, and where query 0 stands among the keys.
struct SequenceExtent: Hashable, Sendable {
  /// The row of the first query in the tensor; 0 unless sequences are packed.
  var queryStart = 0
  var queryCount: Int
  /// Rows of keys.
  var keyCount: Int
  var positions = KeyPositions()
  /// Query `i` has position `i + offset` among the keys.
  var offset = 0

  /// The positions from the first key's through the last key's.
  var positionCount: Int { keyCount + positions.skipped }
}

/// Rows of results that belong to no query: padding of a sequence, or what comes after the last packed one.
struct PaddedRows: Sendable {
  let sequence: Int
  let rows: Range<Int>
}

/// The extents of all sequences. No memory for each where all are alike: a batch without queries may be of any size.
enum SequenceExtents: Sendable {
  case same(SequenceExtent)
  case each([SequenceExtent])

  func of(_ sequence: Int) -> SequenceExtent {
    switch self {
    case .same(let extent): extent
    case .each(let extents): extents[sequence]
    }
  }

  /// The sequences that may differ: one where all of `count` are alike.
  func distinct(of count: Int) -> Range<Int> {
    switch self {
    case .same: 0..<min(count, 1)
    case .each: 0..<count
    }
  }

  /// The extents under the alignment of a mask.
  func aligned(by mask: AttentionMask, count: Int) throws(AttentionError) -> SequenceExtents {
    let alignment = mask.alignments.first ?? .bottomRight
    for other in mask.alignments where other != alignment {
      throw AttentionError(
        "mask", "rules aligned \(alignment) and \(other) given, expected one alignment for all rules")
    }
    switch alignment {
    case .bottomRight: return withOffsets { _, extent in extent.positionCount - extent.queryCount }
    case .topLeft: return withOffsets { _, _ in 0 }
    case .offset(let offset):
      try Self.check(offset)
      return withOffsets { _, _ in offset }
    case .offsets(let offsets):
      guard offsets.count == count else {
        throw AttentionError("mask", "\(offsets.count) offsets given for \(count) sequences")
      }
      for offset in offsets { try Self.check(offset) }
      let each = SequenceExtents.each(offsets.indices.map { of($0) })
      return each.withOffsets { sequence, _ in offsets[sequence] }
    }
  }

  private func withOffsets(_ offset: (Int, SequenceExtent) -> Int) -> SequenceExtents {
    switch self {
    case .same(var extent):
      extent.offset = offset(0, extent)
      return .same(extent)
    case .each(var extents):
      for sequence in extents.indices { extents[sequence].offset = offset(sequence, extents[sequence]) }
      return .each(extents)
    }
  }

  private static func check(_ offset: Int) throws(AttentionError) {
    guard Int32(exactly: offset) != nil else {
      throw AttentionError("mask", "an offset of \(offset) given, expected one that fits 32 bits")
    }
  }
}
