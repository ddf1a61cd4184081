import TensorFiles

extension KeyValueSequence {
  /// Writes the sequence to a file, from which ``KeyValuePool/load(from:)`` brings it back bit for bit, into pages of any size.
  ///
  /// - Parameter path: the file to make or replace: it is there whole, or as it was.
  /// - Throws: ``AttentionError`` of `path` where it cannot be written.
  ///
  /// The file is in the safetensors format. Its tensors, with rows in the order of their positions:
  ///
  /// | name | shape | type |
  /// |---|---|---|
  /// | `keys`, `values` | `[layers, heads, rows, D or Dv]` | F32, BF16, F16 or I8 |
  /// | `values`, where int4 | `[layers, heads, rows, 20 · ⌈Dv/32⌉]` | U8: the bytes of each 32 columns |
  /// | `keys.scales`, `values.scales`, where int8 or planes | `[layers, heads, rows]` | F32 |
  /// | `keys.low`, where planes: `keys` has the high bytes | `[layers, heads, rows, D]` | I8 |
  /// | `keys.lengths`, where planes: the length of a row and that of its low bytes, rounded up | `[layers, heads, rows, 2]` | BF16 |
  /// | `tokens` | the ids of the first tokens, as far as they are known | I64 |
  ///
  /// The text of its header: `format`, `version` (1), `layers`, `heads`, `depth`, `width`, the types `keys` and `values`, `count`, for
  /// rings `window`, `keepingFirst` and `longestAppend`, and `checksum`, of all other text and all data, which finds damage but is no
  /// signature.
  ///
  /// Of a ring it has the kept rows and the last `window` positions; `count` says where they are. Tokens of an open step are not saved.
  ///
  /// Cost: reads the rows twice, once for the checksum. Takes 256 KiB beside them, and a copy of the ids. Steps may go on meanwhile, also
  /// with this sequence: what is saved are the rows at the time of the call, whose pages are held until it returns.
  public func save(to path: String) throws(AttentionError) {
    try convertingErrors(of: "path") { () throws(TensorFileError) in
      try savingWriter().write(to: path)
    }
  }

  /// The file that ``save(to:)`` would write, in memory.
  ///
  /// - Throws: ``AttentionError`` where its size does not fit an Int.
  public func savedBytes() throws(AttentionError) -> [UInt8] {
    try convertingErrors(of: "savedBytes()") { () throws(TensorFileError) in
      try savingWriter().bytes()
    }
  }

  private func savingWriter() throws(TensorFileError) -> SafetensorsWriter {
    let pool = pool
    let rows = UnsafeMutablePointer<SequenceRows>.allocate(capacity: 1)
    // Rows and ids of one moment.
    let state = pool.ledger.withLock {
      let state = self.state
      rows.initialize(to: state.rows(state.list, pageSize: pool.pageSize, appending: 0))
      return state
    }
    let view = CacheView(pool, rows, [state.list])
    let saved = SavedCache(pool.layout, count: state.count, ring: state.ring)
    let tokens = state.tokens.map(Int64.init)
    var sum = saved.makeChecksum()
    tokens.withUnsafeBytes { sum.add($0) }
    for tensor in saved.tensors {
      view.sequences[0].forEachPiece(of: tensor, in: pool) { sum.add(UnsafeRawBufferPointer($0)) }
    }
    var writer = SafetensorsWriter(
      metadata: saved.metadata.merging([SavedCache.checksum: sum.text]) { first, _ in first })
    try writer.add(SavedCache.tokens, .int64, [tokens.count]) { (sink) throws(TensorFileError) in
      try tokens.span.withUnsafeBytes { (bytes) throws(TensorFileError) in try sink(bytes) }
    }
    for tensor in saved.tensors {
      try writer.add(tensor.name, tensor.elementType, tensor.shape) { (sink) throws(TensorFileError) in
        var pieces = GatheredPieces()
        try view.sequences[0].forEachPiece(of: tensor, in: pool) { (piece) throws(TensorFileError) in
          try pieces.add(UnsafeRawBufferPointer(piece), sink)
        }
        try pieces.flush(sink)
      }
    }
    return writer
  }
}

/// Pieces of pages, put together so that the system is not called for each of them.
private struct GatheredPieces {
  private static let mostBytes = 256 << 10
  private var bytes: [UInt8] = []

  mutating func add(
    _ piece: UnsafeRawBufferPointer, _ sink: SafetensorsWriter.ByteSink
  ) throws(TensorFileError) {
    if bytes.count + piece.count > Self.mostBytes { try flush(sink) }
    if piece.count >= Self.mostBytes { return try sink(piece) }
    bytes.append(contentsOf: piece)
  }

  mutating func flush(_ sink: SafetensorsWriter.ByteSink) throws(TensorFileError) {
    try bytes.span.withUnsafeBytes { (piece) throws(TensorFileError) in
      if !piece.isEmpty { try sink(piece) }
    }
    bytes.removeAll(keepingCapacity: true)
  }
}

/// What a file refuses, as an error of the argument that names it.
func convertingErrors<Result>(
  of argument: String, _ body: () throws(TensorFileError) -> Result
) throws(AttentionError) -> Result {
  do throws(TensorFileError) { return try body() } catch {
    throw AttentionError(error.isOutOfMemory ? .outOfMemory : .invalidArgument, argument, "\(error)")
  }
}
