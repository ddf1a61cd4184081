import Attention

/// What each rank has of a call, and sends of it. The counts follow the loops of each way; a call's check has bounded them.
struct CallShards {
  private let call: DistributedCall
  private let ranks: Int
  private let queries: BatchSharding
  private let keys: BatchSharding

  init(_ call: DistributedCall, ranks: Int) {
    (self.call, self.ranks) = (call, ranks)
    queries = BatchSharding(lengths: call.lengths, ranks: ranks, call.order)
    keys = BatchSharding(lengths: call.keyLengths, ranks: ranks, call.keyOrder)
  }

  private func estimate(_ way: DistributedPlan.Way, idle: Int, _ sent: (Int) -> DistributedPlan.Sent)
    -> DistributedPlan.Estimate
  {
    DistributedPlan.Estimate(way: way, obstacle: nil, sent: (0..<ranks).map(sent), idleRanks: idle)
  }

  private func impossible(
    _ way: DistributedPlan.Way, _ obstacle: DistributedPlan.Obstacle
  ) -> DistributedPlan.Estimate {
    DistributedPlan.Estimate(way: way, obstacle: obstacle, sent: [], idleRanks: 0)
  }

  private func ranksWithout(_ sharding: BatchSharding) -> Int {
    (0..<ranks).count { sharding.pieces(of: $0).isEmpty }
  }

  // MARK: - Ways

  /// A message of outputs and log-sum-exps to each other rank, both in the accumulation type.
  func decode() -> DistributedPlan.Estimate {
    let bytes = call.lengths.reduce(0, +) * call.heads * (call.width + 1) * call.sumBytes
    return estimate(.decode, idle: ranksWithout(keys)) { _ in
      DistributedPlan.Sent(bytes: (ranks - 1) * bytes, messages: ranks - 1)
    }
  }

  /// The blocks of keys that others see.
  func exchange() throws(AttentionError) -> KeyExchange {
    try KeyExchange(
      call.attention.mask, queries: queries, keys: keys,
      offsets: call.attention.offsets(queries: call.lengths, keys: call.keyLengths),
      limit: call.attention.mask.keyLimit(of: call.keyLengths.max() ?? 0), ranks: ranks,
      keysPerMessage: call.keysPerMessage, rowsPerPass: call.rowsPerPass)
  }

  /// - Parameter exchange: nil where the way has an obstacle.
  func prefill(_ exchange: KeyExchange?) -> DistributedPlan.Estimate {
    guard let exchange, let row = call.ringRow else {
      return impossible(.prefill, call.ringObstacle ?? .storage(call.keys))
    }
    return estimate(.prefill, idle: ranksWithout(queries)) { rank in
      var sent = DistributedPlan.Sent()
      for other in 0..<ranks where other != rank {
        let (count, blocks) = exchange.count(from: rank, to: other)
        sent.bytes += count * row.bytes
        sent.messages += blocks * row.messages
      }
      return sent
    }
  }

  /// A column of heads of queries, of keys and of values to each other rank, then outputs and log-sum-exps of its rows: a message for each piece of rows.
  func prefillByHeads() -> DistributedPlan.Estimate {
    for storage in [call.keys, call.values] where storage.isQuantized {
      return impossible(.prefillByHeads, .storage(storage))
    }
    if call.heads % ranks != 0 {
      return impossible(.prefillByHeads, .queryHeads(call.heads, ranks: ranks))
    }
    guard call.keyHeads % ranks == 0, let key = call.keys.travelling(call.depth),
      let value = call.values.travelling(call.width)
    else { return impossible(.prefillByHeads, .keyHeads(call.keyHeads, ranks: ranks)) }
    let (heads, keyHeads) = (call.heads / ranks, call.keyHeads / ranks)
    let rows = call.lengths.reduce(0, +)
    let pieces = (0..<ranks).map { queries.pieces(of: $0).count }
    let allPieces = pieces.reduce(0, +)
    return estimate(.prefillByHeads, idle: rows == 0 ? ranks : 0) { rank in
      let (mine, myKeys) = (queries.rowCount(of: rank), keys.rowCount(of: rank))
      let column =
        mine * heads * call.depth * call.elements.byteCount + myKeys * keyHeads * (key.bytes + value.bytes)
      return DistributedPlan.Sent(
        bytes: (ranks - 1) * column + (rows - mine) * heads * call.resultBytes,
        messages: (ranks - 1) * (pieces[rank] + 2 * keys.pieces(of: rank).count) + 2
          * (allPieces - pieces[rank]))
    }
  }

  /// Outputs and log-sum-exps of each of a rank's sequences to each other rank, a message each.
  func attendBySequences() -> DistributedPlan.Estimate {
    for storage in [call.keys, call.values] where storage.travelling(1) == nil {
      return impossible(.attendBySequences, .storage(storage))
    }
    let loads = sequenceLoads(call.lengths, call.keyLengths)
    let schedule = ReplicaSchedule(loads: loads, ranks: ranks)
    var sent = Array(repeating: DistributedPlan.Sent(), count: ranks)
    var isBusy = Array(repeating: false, count: ranks)
    for (sequence, rank) in schedule.ranks.enumerated() {
      sent[rank].bytes += (ranks - 1) * call.lengths[sequence] * call.heads * call.resultBytes
      sent[rank].messages += 2 * (ranks - 1)
      isBusy[rank] = isBusy[rank] || loads[sequence] > 0
    }
    return estimate(.attendBySequences, idle: isBusy.count { !$0 }) { sent[$0] }
  }
}

extension DistributedCall {
  /// What keys and values are on the wire of a prefill; nil where they cannot travel.
  var ringRow: (bytes: Int, messages: Int)? {
    guard let key = keys.rounded(to: wire)?.travelling(depth),
      let value = values.rounded(to: wire)?.travelling(width)
    else { return nil }
    return (keyHeads * (key.bytes + value.bytes), key.messages + value.messages)
  }

  /// Why keys and values cannot travel around a ring.
  var ringObstacle: DistributedPlan.Obstacle? {
    for storage in [keys, values] where storage.rounded(to: wire) == nil {
      // Rows of caches are no tensor that a prefill takes, whatever the wire.
      guard let wire, storage.travelling(1) != nil else { return .storage(storage) }
      return .wire(wire, of: storage)
    }
    return nil
  }
}
