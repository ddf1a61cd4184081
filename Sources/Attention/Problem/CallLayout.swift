/// The shapes of a call, checked: sizes that fit each other, what each sequence covers, and what results have to be.
struct CallLayout: Sendable {
  let sizes: AttentionSizes
  let sequences: SequenceExtents
  let isPacked: Bool
  /// Rows of the queries' tensor along its axis of rows.
  let rowCount: Int
  /// Results of rows that are no sequence's queries.
  let paddedRows: [PaddedRows]
  let given: (queries: GivenArgument, keys: GivenArgument)

  init(
    _ queries: QueryRows, _ layout: QueryLayout, _ keyValues: KeyValues, _ sources: KeyValueSources,
    _ mask: AttentionMask
  ) throws(AttentionError) {
    sizes = try AttentionSizes(layout, sources)
    isPacked = layout.isPacked
    rowCount = layout.rowCount
    given = (layout.given, sources.given.keys)
    let extents: SequenceExtents
    switch queries.arrangement {
    case .batch:
      let whole = SequenceExtent(
        queryCount: sizes.queryCount, keyCount: sizes.keyCount,
        positions: keyValues.fillsTensors ? keyValues.positions(0) : KeyPositions())
      extents =
        keyValues.fillsTensors
        ? .same(whole)
        : .each(
          (0..<sizes.batch).map { keyValues.extent($0, queryCount: whole.queryCount) })
      paddedRows = []
    case .padded(let lengths):
      extents = .each(
        lengths.enumerated().map { keyValues.extent($0, queryCount: $1) })
      let count = layout.rowCount
      paddedRows = lengths.enumerated().compactMap {
        $1 < count ? PaddedRows(sequence: $0, rows: $1..<count) : nil
      }
    case .packed(let lengths):
      var start = 0
      extents = .each(
        lengths.enumerated().map { sequence, length in
          defer { start += length }
          return keyValues.extent(sequence, queryStart: start, queryCount: length)
        })
      paddedRows = start < layout.rowCount ? [PaddedRows(sequence: 0, rows: start..<layout.rowCount)] : []
    }
    sequences = try extents.aligned(by: mask, count: sizes.batch)
  }

  /// What a call throws whose scratch memory the system does not have.
  func noScratch(_ byteCount: Int) -> AttentionError {
    AttentionError(
      .outOfMemory, "queries",
      "shape \(given.queries.shape) beside keys \(given.keys.shape) given, which asks for \(byteCount) bytes of scratch, beyond this machine's memory"
    )
  }

  /// `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` where sequences are packed.
  var outputShape: Shape {
    isPacked
      ? [rowCount, sizes.queryHeads, sizes.valueDimension]
      : [sizes.batch, sizes.queryHeads, rowCount, sizes.valueDimension]
  }

  /// `[B, Hq, Tq]`, or `[Hq, total]` where sequences are packed.
  var logSumExpShape: Shape {
    isPacked ? [sizes.queryHeads, rowCount] : [sizes.batch, sizes.queryHeads, rowCount]
  }
}
