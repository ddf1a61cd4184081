/// How many queries and keys a sequence has, where they start in their tensors, and where query 0 stands among the keys.
struct SequenceExtent: Hashable, Sendable {
  /// The row of the first query in the tensor; 0 unless sequences are packed.
  var queryStart = 0
  var queryCount: Int
  /// The row of the first key in the tensor; 0 unless sequences are packed.
  var keyStart = 0
  var keyCount: Int
  /// Query `i` has position `i + offset` among the keys.
  var offset = 0
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

  /// The sequences of a padded batch, with the lengths and the alignment that a mask gives them.
  init(_ mask: AttentionMask, _ sizes: AttentionSizes) throws(AttentionError) {
    let queryLengths = try Self.shortest(mask.queryLengths, "query", sizes.batch, sizes.queryCount)
    let keyLengths = try Self.shortest(mask.keyLengths, "key", sizes.batch, sizes.keyCount)
    let whole = SequenceExtent(queryCount: sizes.queryCount, keyCount: sizes.keyCount)
    if queryLengths == nil && keyLengths == nil {
      self = .same(whole)
    } else {
      self = .each(
        (0..<sizes.batch).map { sequence in
          var extent = whole
          extent.queryCount = queryLengths?[sequence] ?? whole.queryCount
          extent.keyCount = keyLengths?[sequence] ?? whole.keyCount
          return extent
        })
    }
    try align(mask, sizes)
  }

  /// Packed sequences, with the alignment that a mask gives them.
  init(_ packed: PackedSequences, _ mask: AttentionMask, _ sizes: AttentionSizes) throws(AttentionError) {
    guard mask.queryLengths.isEmpty && mask.keyLengths.isEmpty else {
      throw AttentionError("mask", "query or key lengths given for packed sequences, which have their own")
    }
    self = .each(packed.extents)
    try align(mask, sizes)
  }

  /// The smallest length that a sequence is given, of rules that each give one a sequence.
  private static func shortest(
    _ rules: [[Int]], _ kind: String, _ batch: Int, _ most: Int
  ) throws(AttentionError) -> [Int]? {
    guard var shortest = rules.first else { return nil }
    for lengths in rules {
      guard lengths.count == batch else {
        throw AttentionError("mask", "\(lengths.count) \(kind) lengths given for \(batch) sequences")
      }
      for length in lengths where length < 0 || length > most {
        throw AttentionError("mask", "a \(kind) length of \(length) given, expected 0...\(most)")
      }
      for (sequence, length) in lengths.enumerated() {
        shortest[sequence] = min(shortest[sequence], length)
      }
    }
    return shortest
  }

  /// Sets the offsets.
  private mutating func align(_ mask: AttentionMask, _ sizes: AttentionSizes) throws(AttentionError) {
    let alignment = mask.alignments.first ?? .bottomRight
    for other in mask.alignments where other != alignment {
      throw AttentionError(
        "mask", "rules aligned \(alignment) and \(other) given, expected one alignment for all rules")
    }
    switch alignment {
    case .bottomRight: setOffsets { _, extent in extent.keyCount - extent.queryCount }
    case .topLeft: setOffsets { _, _ in 0 }
    case .offset(let offset):
      try Self.check(offset)
      setOffsets { _, _ in offset }
    case .offsets(let offsets):
      guard offsets.count == sizes.batch else {
        throw AttentionError("mask", "\(offsets.count) offsets given for \(sizes.batch) sequences")
      }
      for offset in offsets { try Self.check(offset) }
      if case .same(let extent) = self { self = .each(offsets.map { _ in extent }) }
      setOffsets { sequence, _ in offsets[sequence] }
    }
  }

  private mutating func setOffsets(_ offset: (Int, SequenceExtent) -> Int) {
    switch self {
    case .same(var extent):
      extent.offset = offset(0, extent)
      self = .same(extent)
    case .each(var extents):
      for sequence in extents.indices { extents[sequence].offset = offset(sequence, extents[sequence]) }
      self = .each(extents)
    }
  }

  private static func check(_ offset: Int) throws(AttentionError) {
    guard Int32(exactly: offset) != nil else {
      throw AttentionError("mask", "an offset of \(offset) given, expected one that fits 32 bits")
    }
  }
}
