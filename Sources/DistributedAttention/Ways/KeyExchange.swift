import Attention

/// Some keys of one sequence, on their way to a rank that sees them.
struct KeyBlock: Hashable {
  let sequence: Int
  /// Counted in the sequence.
  let positions: Range<Int>
  /// Rows of the tensor of the rank that has them.
  let rows: Range<Int>
}

/// Which keys each rank needs of each other: those that its queries see as far as ranges say, in messages of limited length, once for each pass over
/// some of its queries.
///
/// All ranks find the same blocks, so that nobody has to ask for any.
struct KeyExchange {
  /// Some rows of each rank, the next ones after those of the pass before.
  struct Pass {
    /// The queries of each rank.
    let queries: [[BatchSharding.Piece]]
    /// What they see of each sequence: ranges in ascending order.
    fileprivate let seen: [[[Range<Int>]]]

    /// How many rows of a rank there are.
    func rowCount(of rank: Int) -> Int { queries[rank].reduce(0) { $0 + $1.rows.count } }
  }

  /// At least one.
  let passes: [Pass]
  /// The keys that each rank has.
  private let pieces: [[BatchSharding.Piece]]
  private let keysPerMessage: Int

  /// - Parameters:
  ///   - offsets: the position of query 0 of each sequence among its keys.
  ///   - limit: keys from here on have no column in some tensor of the mask, and nobody sees them.
  ///   - rowsPerPass: 1 or more, as `keysPerMessage`.
  init(
    _ mask: AttentionMask, queries: BatchSharding, keys: BatchSharding, offsets: [Int], limit: Int,
    ranks: Int, keysPerMessage: Int, rowsPerPass: Int
  ) throws(AttentionError) {
    pieces = (0..<ranks).map { keys.pieces(of: $0) }
    self.keysPerMessage = keysPerMessage
    let longest = (0..<ranks).map { queries.rowCount(of: $0) }.max() ?? 0
    var passes: [Pass] = []
    for first in stride(from: 0, to: max(1, longest), by: rowsPerPass) {
      let rows = first..<first + min(rowsPerPass, max(0, longest - first))
      let queries = (0..<ranks).map { queries.pieces(of: $0).compactMap { $0.clamped(to: rows) } }
      var seen: [[[Range<Int>]]] = []
      for pieces in queries {
        var ofRank: [[Range<Int>]] = Array(repeating: [], count: keys.sequences.count)
        for piece in pieces {
          let count = min(limit, keys.sequences[piece.sequence].count)
          ofRank[piece.sequence] += try mask.keysSeen(
            sequence: piece.sequence, by: piece.positions, offset: offsets[piece.sequence], keyCount: count)
        }
        seen.append(ofRank.map(Self.union))
      }
      passes.append(Pass(queries: queries, seen: seen))
    }
    self.passes = passes
  }

  /// The blocks of keys that `source` has and `destination` sees in a pass, in the order in which they are sent.
  func blocks(_ pass: Pass, from source: Int, to destination: Int) -> [KeyBlock] {
    var blocks: [KeyBlock] = []
    forEachPart(pass, from: source, to: destination) { piece, part in
      for start in stride(from: part.lowerBound, to: part.upperBound, by: keysPerMessage) {
        let positions = start..<start + min(keysPerMessage, part.upperBound - start)
        let row = piece.rows.lowerBound + start - piece.positions.lowerBound
        blocks.append(
          KeyBlock(sequence: piece.sequence, positions: positions, rows: row..<row + positions.count))
      }
    }
    return blocks
  }

  /// How many keys `source` sends to `destination` in all passes, and in how many blocks.
  func count(from source: Int, to destination: Int) -> (keys: Int, blocks: Int) {
    var (keys, blocks) = (0, 0)
    for pass in passes {
      forEachPart(pass, from: source, to: destination) { _, part in
        keys += part.count
        blocks += (part.count - 1) / keysPerMessage + 1
      }
    }
    return (keys, blocks)
  }

  /// Calls `body` with what `destination` sees of each piece that `source` has: ranges that are not empty.
  private func forEachPart(
    _ pass: Pass, from source: Int, to destination: Int, _ body: (BatchSharding.Piece, Range<Int>) -> Void
  ) {
    for piece in pieces[source] {
      for range in pass.seen[destination][piece.sequence] {
        let part = range.clamped(to: piece.positions)
        if !part.isEmpty { body(piece, part) }
      }
    }
  }

  /// Ranges in ascending order that touch nowhere and cover what the given ones do.
  private static func union(_ ranges: [Range<Int>]) -> [Range<Int>] {
    var union: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = union.last, last.upperBound >= range.lowerBound {
        union[union.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        union.append(range)
      }
    }
    return union
  }
}

/// Keys and values as they travel: rows `[rows, Hkv, D]` and `[rows, Hkv, Dv]`, one after the other in memory.
struct TravellingRows: Sendable {
  let keys: StoredTensor
  let values: StoredTensor

  /// This rank's rows, rounded to what travels.
  init(_ keys: StoredTensor, _ values: StoredTensor, as wire: KeyValueType?) throws(AttentionError) {
    guard let wire else {
      (self.keys, self.values) = (try keys.rowMajor(), try values.rowMajor())
      return
    }
    (self.keys, self.values) = (
      try keys.converted(to: wire).rowMajor(), try values.converted(to: wire).rowMajor()
    )
  }

  private init(keys: StoredTensor, values: StoredTensor) { (self.keys, self.values) = (keys, values) }

  /// Room for so many rows of another rank.
  func room(for rows: Int) throws(AttentionError) -> TravellingRows {
    TravellingRows(
      keys: try .uninitialized(like: keys, rows: rows), values: try .uninitialized(like: values, rows: rows))
  }

  func rows(_ range: Range<Int>) -> TravellingRows {
    TravellingRows(keys: keys.rows(range), values: values.rows(range))
  }

  /// Keys, scales of keys, values, scales of values: a message each.
  var bytes: [UnsafeRawBufferPointer] { keys.bytes + values.bytes }

  var byteCount: Int { bytes.reduce(0) { $0 + $1.count } }

  /// As attention takes them, standing at their positions.
  func keyValues(at position: Int) -> KeyValues {
    KeyValues(packedKeys: keys, values: values, lengths: [keys.rowShape[0]]).starting(at: position)
  }
}

/// Keys and values that come from other ranks in all passes, one block while another is computed on.
struct ArrivingKeys<Over: Communicator> {
  private let communicator: Over
  private let sources: [(pass: Int, rank: Int, block: KeyBlock)]
  private var rooms: [TravellingRows]
  private var transfers: [[any Transfer]] = []
  private var next = 0

  init(_ exchange: KeyExchange, _ mine: TravellingRows, over communicator: Over) throws(DistributedError) {
    self.communicator = communicator
    sources = exchange.passes.enumerated().flatMap { index, pass in
      communicator.rounds.flatMap { round in
        exchange.blocks(pass, from: round.source, to: communicator.rank).map { (index, round.source, $0) }
      }
    }
    let longest = sources.map { $0.block.rows.count }.max() ?? 0
    let count = min(Self.ahead, sources.count)
    rooms = try refusing { () throws(AttentionError) in
      var rooms: [TravellingRows] = []
      for _ in 0..<count { rooms.append(try mine.room(for: longest)) }
      return rooms
    }
    for _ in 0..<count { try begin() }
  }

  /// One is computed on while the other comes.
  private static var ahead: Int { 2 }

  private func room(_ index: Int) -> TravellingRows {
    rooms[index % Self.ahead].rows(0..<sources[index].block.rows.count)
  }

  private mutating func begin() throws(DistributedError) {
    let index = transfers.count
    if index >= sources.count { return }
    var parts: [any Transfer] = []
    let room = room(index)
    for bytes in room.bytes {
      // Nobody reads the room's tensors before `withNext` has seen the transfer's end.
      parts.append(
        try communicator.beginReceive(
          UnsafeMutableRawBufferPointer(mutating: bytes), from: sources[index].rank, keeping: room))
    }
    transfers.append(parts)
  }

  /// Waits for the next block of a pass and calls `body` with it; then its room is free for another, of the next pass too.
  ///
  /// - Returns: whether there was one.
  mutating func withNext(
    ofPass pass: Int, _ traffic: inout Traffic,
    _ body: (KeyBlock, TravellingRows) throws(DistributedError) -> Void
  ) throws(DistributedError) -> Bool {
    guard next < sources.count, sources[next].pass == pass else { return false }
    for transfer in transfers[next] { try traffic.wait(for: transfer) }
    let rows = room(next)
    traffic.received += rows.byteCount
    try body(sources[next].block, rows)
    next += 1
    try begin()
    // What follows needs their memory.
    if next == sources.count { rooms = [] }
    return true
  }
}
