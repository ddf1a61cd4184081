import Attention

extension ShardedAttention {
  /// Attention of sequences that are spread over ranks, by heads: an all-to-all gives each rank all rows of its share of the heads, it attends as
  /// alone, and another all-to-all gives each rank the outputs of its rows back.
  ///
  ///     [rows of rank r, Hq, D] → [all rows, Hq / P, D] → attention → [rows of rank r, Hq, Dv]
  ///
  /// The bits are those of one rank, and so is all the arithmetic. It moves queries and outputs as well as keys and values, but each number once:
  /// less than ``prefill(_:_:_:_:keySharding:)`` where there are many ranks. Nothing is computed while numbers travel.
  ///
  /// - Parameters:
  ///   - queries: `[rows, Hq, D]`, this rank's rows of `querySharding`; `Hq` is a multiple of the number of ranks.
  ///   - keys: `[key rows, Hkv, D]`, this rank's rows of `keySharding`; so is `Hkv`.
  ///   - values: `[key rows, Hkv, Dv]`, likewise.
  ///   - querySharding: which queries each rank has, in any order.
  ///   - keySharding: which keys; nil where it is that of the queries.
  /// - Returns: output `[rows, Hq, Dv]` and log-sum-exp `[Hq, rows]` of this rank's rows.
  /// - Throws: ``DistributedError``; see ``ShardedAttention``.
  /// - SeeAlso: Jacobs et al. 2023, "DeepSpeed Ulysses".
  public func prefillByHeads<Element: AttentionElement, Key: AttentionElement, Value: AttentionElement>(
    _ queries: Tensor<Element>, _ keys: Tensor<Key>, _ values: Tensor<Value>,
    _ querySharding: BatchSharding, keySharding: BatchSharding? = nil
  ) throws(DistributedError) -> Result<Element> {
    let shardings = (queries: querySharding, keys: keySharding ?? querySharding)
    var agreement = shardedAgreement("prefillByHeads", queries, (keys.stored, values.stored), shardings)
    let ranks = communicator.size
    agreement.check { () throws(AttentionError) in
      for (argument, shape) in [("queries", queries.shape), ("keys", keys.shape)]
      where shape.count == 3 && shape[1] % ranks != 0 {
        throw AttentionError(
          argument, "\(shape[1]) heads given, expected a multiple of \(ranks), the number of ranks")
      }
    }
    try agreement.settle(over: communicator)
    var traffic = Traffic()
    let turn = HeadTurn(communicator)
    let q = try turn.toHeads(queries, shardings.queries, &traffic)
    let k = try turn.toHeads(keys, shardings.keys, &traffic)
    let v = try turn.toHeads(values, shardings.keys, &traffic)
    let (output, sums) = try refusing { () throws(AttentionError) in
      let heads = queries.shape[1] / ranks
      var attend = attention
      attend.mask = attend.mask.heads(communicator.rank * heads..<(communicator.rank + 1) * heads)
      attend.options.sinks = attend.options.sinks.map {
        Array($0[communicator.rank * heads..<(communicator.rank + 1) * heads])
      }
      return try attend.withLogSumExp(
        .packed(q, lengths: shardings.queries.lengths),
        KeyValues(packedKeys: k, values: v, lengths: shardings.keys.lengths))
    }
    let mine = try turn.toRows(output, shardings.queries, &traffic)
    // `[Hq / P, all rows]` as rows with one number a head.
    let columns = try refusing { () throws(AttentionError) in
      try sums.permuted(1, 0).expanded(axis: 2).packed()
    }
    let logSumExp = try turn.toRows(columns, shardings.queries, &traffic)
    let rows = try refusing { () throws(AttentionError) in
      try logSumExp.selected(axis: 2, 0).permuted(1, 0).packed()
    }
    return Result(output: mine, logSumExp: rows, traffic: traffic)
  }
}

/// Rows of all heads on each rank, turned into all rows of some heads on each rank, and back.
private struct HeadTurn<Over: Communicator> {
  private let communicator: Over

  init(_ communicator: Over) { self.communicator = communicator }

  /// The ranges of a rank's pieces among the rows of all sequences.
  private func places(_ sharding: BatchSharding, _ rank: Int) -> [Range<Int>] {
    let starts = sharding.starts
    return sharding.pieces(of: rank).map { piece in
      starts[piece.sequence] + piece.positions.lowerBound..<starts[piece.sequence]
        + piece.positions.upperBound
    }
  }

  /// `[rows, H, D]` of this rank to `[all rows, H / P, D]`.
  func toHeads<Element: TensorElement>(
    _ tensor: Tensor<Element>, _ sharding: BatchSharding, _ traffic: inout Traffic
  ) throws(DistributedError) -> Tensor<Element> {
    let (heads, width) = (tensor.shape[1] / communicator.size, tensor.shape[2])
    let shape: Shape = [sharding.starts.last ?? 0, heads, width]
    let all: Tensor<Element> = try refusing { () throws(AttentionError) in
      try allocated(shape, for: "queries", tensor.shape)
    }
    // A rank's heads are a column of this rank's rows: they are packed before they go.
    func column(_ rank: Int) throws(DistributedError) -> Tensor<Element> {
      try refusing { () throws(AttentionError) in
        try tensor.sliced(axis: 1, rank * heads..<(rank + 1) * heads).packed()
      }
    }
    var underWay: [any Transfer] = []
    for round in communicator.rounds {
      for place in places(sharding, round.source) {
        let bytes = all.sliced(axis: 0, place).writableBytes
        underWay.append(try communicator.beginReceive(bytes, from: round.source, keeping: all))
        traffic.received += bytes.count
      }
    }
    for round in communicator.rounds {
      let packed = try column(round.destination)
      for piece in sharding.pieces(of: communicator.rank) {
        let bytes = UnsafeRawBufferPointer(packed.sliced(axis: 0, piece.rows).writableBytes)
        underWay.append(try communicator.beginSend(bytes, to: round.destination, keeping: packed))
        traffic.sent += bytes.count
      }
    }
    let own = try column(communicator.rank)
    for (piece, place) in zip(sharding.pieces(of: communicator.rank), places(sharding, communicator.rank)) {
      all.sliced(axis: 0, place).writableBytes.copyMemory(
        from: UnsafeRawBufferPointer(own.sliced(axis: 0, piece.rows).writableBytes))
    }
    for transfer in underWay { try traffic.wait(for: transfer) }
    return all
  }

  /// `[all rows, H / P, D]` to `[rows, H, D]` of this rank.
  func toRows<Element: TensorElement>(
    _ tensor: Tensor<Element>, _ sharding: BatchSharding, _ traffic: inout Traffic
  ) throws(DistributedError) -> Tensor<Element> {
    let (heads, width) = (tensor.shape[1], tensor.shape[2])
    let rows = sharding.rowCount(of: communicator.rank)
    let pieces = sharding.pieces(of: communicator.rank)
    func allocate(_ shape: Shape) throws(DistributedError) -> Tensor<Element> {
      try refusing { () throws(AttentionError) in try allocated(shape, for: "queries", tensor.shape) }
    }
    var arriving: [(rank: Int, rows: Tensor<Element>)] = []
    var underWay: [any Transfer] = []
    for round in communicator.rounds {
      let room = try allocate([rows, heads, width])
      for piece in pieces {
        let bytes = room.sliced(axis: 0, piece.rows).writableBytes
        underWay.append(try communicator.beginReceive(bytes, from: round.source, keeping: room))
        traffic.received += bytes.count
      }
      arriving.append((round.source, room))
    }
    for round in communicator.rounds {
      for place in places(sharding, round.destination) {
        let bytes = UnsafeRawBufferPointer(tensor.sliced(axis: 0, place).writableBytes)
        underWay.append(try communicator.beginSend(bytes, to: round.destination, keeping: tensor))
        traffic.sent += bytes.count
      }
    }
    var mine = try allocate([rows, heads * communicator.size, width])
    for transfer in underWay { try traffic.wait(for: transfer) }
    try refusing { () throws(AttentionError) in
      try mine.withMutableView { (view) throws(AttentionError) in
        let own = places(sharding, communicator.rank)
        for (piece, place) in zip(pieces, own) {
          try view.sliced(axis: 0, piece.rows).sliced(
            axis: 1, communicator.rank * heads..<(communicator.rank + 1) * heads
          ).assign(from: tensor.sliced(axis: 0, place))
        }
        for (rank, rows) in arriving {
          try view.sliced(axis: 1, rank * heads..<(rank + 1) * heads).assign(from: rows)
        }
      }
    }
    return mine
  }
}

extension Tensor {
  /// The elements in row-major order; a copy where they lie otherwise.
  fileprivate func packed() throws(AttentionError) -> Tensor {
    if isContiguous { return self }
    var copy: Tensor = try allocated(shape, for: "queries", shape)
    try copy.withMutableView { (view) throws(AttentionError) in try view.assign(from: self) }
    return copy
  }
}
