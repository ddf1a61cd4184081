import Attention

extension ShardedAttention {
  /// Attention of sequences that are spread over ranks, queries as well as keys: each rank computes the rows of its own queries, on its own keys first,
  /// while those of the next rank come, and so on around the ring.
  ///
  /// Keys go from the rank that has them straight to each rank that sees some of them: in round `t` rank `r` sends to rank `r + t`. A network that
  /// connects all ranks carries as much as if they went from neighbour to neighbour, and what nobody sees (beyond windows, after causal
  /// queries) does not go at all. One message comes while another is computed on: arithmetic hides it where it takes longer.
  ///
  /// - Parameters:
  ///   - queries: `[rows, Hq, D]`, this rank's rows of `querySharding`.
  ///   - keys: `[key rows, Hkv, D]`, this rank's rows of `keySharding`: a ``Attention/Tensor`` or a ``Attention/QuantizedTensor``.
  ///   - values: `[key rows, Hkv, Dv]`, likewise.
  ///   - querySharding: which queries each rank has. ``SequenceSharding/Order/zigzag`` makes causal work even.
  ///   - keySharding: which keys; nil where it is that of the queries.
  /// - Returns: output `[rows, Hq, Dv]` and log-sum-exp `[Hq, rows]` of this rank's rows. With bfloat16 queries a log-sum-exp may be that of weights as they
  ///   multiply values, rounded to bfloat16, which is what the output is divided by: within 2⁻⁸ of the exact one, and mostly far nearer.
  /// - Throws: ``DistributedError``; see ``ShardedAttention``.
  ///
  /// Memory beside the arguments and results: the output of ``rowsPerPass`` rows in the accumulation type where that is another one, the partial output of at
  /// most 1024 rows, and two messages of ``keysPerMessage`` keys.
  /// - SeeAlso: Liu, Zaharia and Abbeel 2023, "Ring Attention with Blockwise Transformers for Near-Infinite Context"; Brandon et al. 2023, "Striped
  ///   Attention"; the zigzag order is that of Zhu's ring-flash-attention.
  public func prefill<Element: AttentionElement>(
    _ queries: Tensor<Element>, _ keys: some KeyValueTensor, _ values: some KeyValueTensor,
    _ querySharding: BatchSharding, keySharding: BatchSharding? = nil
  ) throws(DistributedError) -> Result<Element> {
    let shape = queries.shape
    let call = try plan(queries, keys, values, querySharding, keySharding)
    let width = call.rows.values.rowShape[2]
    var (running, partial) = try refusing { () throws(AttentionError) in
      (
        try RunningAttention<Element>(rows: shape[0], heads: shape[1], width: width),
        try PartialAttention<Element>(
          rows: min(rowsPerPartial, rowsPerPass, shape[0]), heads: shape[1], width: width)
      )
    }
    let sinks = attention.options.sinks
    let traffic = try exchange(call) { (pass, blocks) throws(DistributedError) in
      running.begin(pass.rowCount(of: communicator.rank))
      try blocks { (block, rows) throws(DistributedError) in
        try add(
          block, rows, queries, pass.queries[communicator.rank], call.offsets, through: &partial, to: &running
        )
      }
      running.end(sinks: sinks, on: pool)
    }
    let (output, sums) = running.results
    return Result(output: output, logSumExp: sums, traffic: traffic)
  }

  /// The messages of ``prefill(_:_:_:_:keySharding:)`` with nothing computed meanwhile: what arithmetic has to hide.
  package func prefillTraffic<Element: AttentionElement>(
    _ queries: Tensor<Element>, _ keys: some KeyValueTensor, _ values: some KeyValueTensor,
    _ querySharding: BatchSharding, keySharding: BatchSharding? = nil
  ) throws(DistributedError) -> Traffic {
    try exchange(plan(queries, keys, values, querySharding, keySharding)) {
      (_, blocks) throws(DistributedError) in
      try blocks { (_, _) in }
    }
  }

  /// What ranks have agreed on.
  private struct RingCall {
    /// This rank's keys and values as they travel.
    let rows: TravellingRows
    let exchange: KeyExchange
    let offsets: [Int]
  }

  private func plan<Element: AttentionElement>(
    _ queries: Tensor<Element>, _ keys: some KeyValueTensor, _ values: some KeyValueTensor,
    _ querySharding: BatchSharding, _ keySharding: BatchSharding?
  ) throws(DistributedError) -> RingCall {
    let mine = (keys: keys.stored, values: values.stored)
    let shardings = (queries: querySharding, keys: keySharding ?? querySharding)
    var agreement = shardedAgreement("prefill", queries, mine, shardings)
    agreement.add("wire", wire.map { "\($0)" } ?? "as stored")
    agreement.add("keysPerMessage", keysPerMessage)
    agreement.add("rowsPerPass", rowsPerPass)
    var rows: TravellingRows?
    var exchange: KeyExchange?
    var offsets: [Int] = []
    agreement.check { () throws(AttentionError) in
      guard keysPerMessage > 0 else {
        throw AttentionError("keysPerMessage", "\(keysPerMessage) given, expected 1 or more")
      }
      guard rowsPerPass > 0 else {
        throw AttentionError("rowsPerPass", "\(rowsPerPass) given, expected 1 or more")
      }
      offsets = try self.offsets(queries: shardings.queries.lengths, keys: shardings.keys.lengths)
      exchange = try KeyExchange(
        attention.mask, queries: shardings.queries, keys: shardings.keys, offsets: offsets,
        limit: attention.mask.keyLimit(of: shardings.keys.lengths.max() ?? 0), ranks: communicator.size,
        keysPerMessage: keysPerMessage, rowsPerPass: rowsPerPass)
      rows = try TravellingRows(mine.keys, mine.values, as: wire)
    }
    try agreement.settle(over: communicator)
    guard let rows, let exchange else { preconditionFailure("an agreement over arguments that were refused") }
    return RingCall(rows: rows, exchange: exchange, offsets: offsets)
  }

  /// Calls a function with each block of keys that this rank sees: its own first, then those that come.
  private typealias Blocks = (
    (KeyBlock, TravellingRows) throws(DistributedError) -> Void
  ) throws(DistributedError) -> Void

  /// Sends this rank's keys to whom sees them, and calls `body` with each pass and its blocks.
  ///
  /// All sends begin at once: a rank that is ahead by a pass waits for no other.
  private func exchange(
    _ call: RingCall, _ body: (KeyExchange.Pass, Blocks) throws(DistributedError) -> Void
  ) throws(DistributedError) -> Traffic {
    var traffic = Traffic()
    // Memory first: what is refused afterwards would leave the others waiting.
    var arriving = try ArrivingKeys(call.exchange, call.rows, over: communicator)
    var sends: [any Transfer] = []
    for pass in call.exchange.passes { sends += try beginSends(call, pass, &traffic) }
    for (index, pass) in call.exchange.passes.enumerated() {
      try body(pass) { (add) throws(DistributedError) in
        for block in call.exchange.blocks(pass, from: communicator.rank, to: communicator.rank) {
          try add(block, call.rows.rows(block.rows))
        }
        while try arriving.withNext(ofPass: index, &traffic, add) {}
      }
    }
    let start = ContinuousClock.now
    for send in sends { try send.wait() }
    traffic.waitedToSend = ContinuousClock.now - start
    return traffic
  }

  /// What all ranks have to say alike of a call on shards, and the checks of this rank's.
  func shardedAgreement<Element: AttentionElement>(
    _ call: String, _ queries: Tensor<Element>, _ mine: (keys: StoredTensor, values: StoredTensor),
    _ shardings: (queries: BatchSharding, keys: BatchSharding)
  ) -> CallAgreement {
    var agreement = CallAgreement(call, attention)
    agreement.add("queries", "\(Element.elementType) heads and width \(Shape(queries.shape.dropFirst()))")
    agreement.add("keys", "\(mine.keys.typeName) heads and width \(Shape(mine.keys.rowShape.dropFirst()))")
    agreement.add(
      "values", "\(mine.values.typeName) heads and width \(Shape(mine.values.rowShape.dropFirst()))")
    agreement.add("querySharding", shardings.queries.sequences)
    agreement.add("keySharding", shardings.keys.sequences)
    agreement.check { () throws(AttentionError) in
      try checkRules()
      try check(shardings.queries, "querySharding")
      try check(shardings.keys, "keySharding")
      let rank = communicator.rank
      try check(queries.shape, shardings.queries.rowCount(of: rank), "queries", "[rows, Hq, D]")
      try check(mine.keys.rowShape, shardings.keys.rowCount(of: rank), "keys", "[rows, Hkv, D]")
      try check(mine.values.rowShape, shardings.keys.rowCount(of: rank), "values", "[rows, Hkv, Dv]")
      // This rank's rows as a call of their own, and the whole as one rank would compute it.
      try local(.none).checkCall(
        .packed(queries, lengths: [queries.shape[0]]),
        KeyValues(packedKeys: mine.keys, values: mine.values, lengths: [mine.keys.rowShape[0]]))
      let (lengths, keyLengths) = (shardings.queries.lengths, shardings.keys.lengths)
      let (rows, keyRows) = (shardings.queries.starts.last ?? 0, shardings.keys.starts.last ?? 0)
      let one: Tensor<Element> = try allocated(
        [1, queries.shape[1], queries.shape[2]], for: "queries", queries.shape)
      try attention.checkCall(
        .packed(one.broadcast(to: [rows, queries.shape[1], queries.shape[2]]), lengths: lengths),
        KeyValues(
          packedKeys: mine.keys.standIn(rows: keyRows), values: mine.values.standIn(rows: keyRows),
          lengths: keyLengths))
    }
    return agreement
  }

  private func check(_ sharding: BatchSharding, _ argument: String) throws(AttentionError) {
    for sequence in sharding.sequences where sequence.ranks != communicator.size {
      throw AttentionError(
        argument, "one over \(sequence.ranks) ranks given, expected one over \(communicator.size)")
    }
  }

  private func check(
    _ shape: Shape, _ rows: Int, _ argument: String, _ axes: String
  ) throws(AttentionError) {
    guard shape.count == 3, shape[0] == rows else {
      throw AttentionError(
        argument, "shape \(shape) given, expected \(axes) with \(rows) rows of this rank's")
    }
  }

  /// Begins to send what others see in a pass. The order of rounds is theirs, so that each finds what it waits for first.
  private func beginSends(
    _ call: RingCall, _ pass: KeyExchange.Pass, _ traffic: inout Traffic
  ) throws(DistributedError) -> [any Transfer] {
    var sends: [any Transfer] = []
    for round in communicator.rounds {
      for block in call.exchange.blocks(pass, from: communicator.rank, to: round.destination) {
        for bytes in call.rows.rows(block.rows).bytes {
          traffic.sent += bytes.count
          sends.append(try communicator.beginSend(bytes, to: round.destination, keeping: call.rows))
        }
      }
    }
    return sends
  }

  /// Attention over one block of keys, merged into what has come so far.
  private func add<Element: AttentionElement>(
    _ block: KeyBlock, _ rows: TravellingRows, _ queries: Tensor<Element>, _ pieces: [BatchSharding.Piece],
    _ offsets: [Int], through partial: inout PartialAttention<Element>,
    to running: inout RunningAttention<Element>
  ) throws(DistributedError) {
    let keyValues = rows.keyValues(at: block.positions.lowerBound)
    for piece in pieces where piece.sequence == block.sequence {
      for first in stride(from: 0, to: piece.positions.count, by: rowsPerPartial) {
        let count = min(rowsPerPartial, piece.positions.count - first)
        let start = piece.positions.lowerBound + first
        let part = ScorePart(
          sequence: piece.sequence, queries: start..<start + count, keys: block.positions,
          heads: 0..<queries.shape[1],
          offset: offsets[piece.sequence])
        let row = piece.rows.lowerBound + first
        try refusing { () throws(AttentionError) in
          let (output, sums) = try partial.attend(
            local(attention.mask.part(part)), queries.sliced(axis: 0, row..<row + count), keyValues)
          running.add(output, sums, at: row, on: pool)
        }
      }
    }
  }
}

/// Rows whose partial output is kept before it is merged: enough that keys are read seldom, few enough that it is small beside the output of a
/// long sequence.
private let rowsPerPartial = 1024
