import Attention

extension ShardedAttention {
  /// Few queries over keys that lie on several ranks: each rank attends over its own keys, and the partial results are merged on every rank, in the
  /// order of ranks.
  ///
  ///     y = ⊕ᵣ attention(q, keys of rank r)                  ⊕ as in ``Attention/mergeAttention(_:on:)``
  ///
  /// - Parameters:
  ///   - queries: `[total, Hq, D]`, the same on all ranks.
  ///   - lengths: how many queries each sequence has.
  ///   - parts: keys and values of this rank, of all sequences, each part starting at the position where it stands
  ///     (``Attention/KeyValues/starting(at:)-(Int)``). Any number of parts, none too; no key may be on two ranks.
  ///   - keyCounts: how many keys each sequence has on all ranks together.
  /// - Returns: output `[total, Hq, Dv]` and log-sum-exp `[Hq, total]`, the same bits on all ranks.
  /// - Throws: ``DistributedError``; see ``ShardedAttention``.
  ///
  /// Each rank sends `total · Hq · (Dv + 1)` numbers of the accumulation type, however many keys there are. A rank without parts has to know `Dv`: it
  /// learns the width from the others.
  /// - SeeAlso: Shyam et al. 2024, "Tree Attention: Topology-aware Decoding for Long-Context Attention on GPU clusters".
  public func decode<Element: AttentionElement>(
    _ queries: Tensor<Element>, lengths: [Int], _ parts: [KeyValues], keyCounts: [Int]
  ) throws(DistributedError) -> Result<Element> {
    var agreement = CallAgreement("decode", attention)
    agreement.add("queries", "\(Element.elementType) \(queries.shape)")
    agreement.add("lengths", lengths)
    agreement.add("keyCounts", keyCounts)
    var running: RunningAttention<Element>?
    agreement.check { () throws(AttentionError) in
      running = try attend(queries, lengths, parts, keyCounts)
    }
    let widths = try agreement.settle(over: communicator, note: running?.state.output.shape[2] ?? 0)
    let width = try commonWidth(widths)
    let (rows, heads) = (queries.shape[0], queries.shape[1])
    var mine = try refusing { () throws(AttentionError) in
      if let running { return running }
      return try RunningAttention<Element>.begun(rows: rows, heads: heads, width: width)
    }
    if communicator.size == 1 { return finish(&mine, Traffic()) }
    return try merge(mine, rows, heads, width)
  }

  /// What this rank's own keys give; nil where it has none.
  private func attend<Element: AttentionElement>(
    _ queries: Tensor<Element>, _ lengths: [Int], _ parts: [KeyValues], _ keyCounts: [Int]
  ) throws(AttentionError) -> RunningAttention<Element>? {
    try checkRules()
    guard queries.rank == 3 else {
      throw AttentionError("queries", "shape \(queries.shape) given, expected [total, Hq, D]")
    }
    guard keyCounts.count == lengths.count else {
      throw AttentionError(
        "keyCounts", "\(keyCounts.count) given, expected one for each of \(lengths.count) sequences")
    }
    if let sinks = attention.options.sinks, sinks.count != queries.shape[1] {
      throw AttentionError(
        "sinks", "\(sinks.count) given, expected one for each of \(queries.shape[1]) query heads")
    }
    let offsets = try offsets(queries: lengths, keys: keyCounts)
    var running: RunningAttention<Element>?
    for part in parts {
      let mask = try attention.mask.columns(of: part, aligned: offsets, keyCounts)
      let (output, sums) = try local(mask).withLogSumExp(.packed(queries, lengths: lengths), part)
      if running == nil {
        running = try .begun(rows: output.shape[0], heads: output.shape[1], width: output.shape[2])
      }
      running?.add(output, sums, at: 0, on: pool)
    }
    return running
  }

  /// The width of values, from the ranks that have any.
  private func commonWidth(_ widths: [Int]) throws(DistributedError) -> Int {
    guard let first = widths.firstIndex(where: { $0 > 0 }) else { return 0 }
    for (rank, width) in widths.enumerated() where width > 0 && width != widths[first] {
      throw .disagreement(
        rank: rank, argument: "values", given: "a width of \(width)",
        expected: "\(widths[first]) as on rank \(first)")
    }
    return widths[first]
  }

  private func merge<Element: AttentionElement>(
    _ mine: RunningAttention<Element>, _ rows: Int, _ heads: Int, _ width: Int
  ) throws(DistributedError) -> Result<Element> {
    typealias Scalar = Element.Accumulator
    let (output, sums) = mine.state
    let (outputCount, count) = (rows * heads * width, rows * heads * (width + 1))
    // One message: outputs, then log-sum-exps.
    let message: Tensor<Scalar> = try refusing { () throws(AttentionError) in
      try allocated([count], for: "queries", output.shape)
    }
    let all: Tensor<Scalar> = try refusing { () throws(AttentionError) in
      try allocated([communicator.size, count], for: "queries", output.shape)
    }
    let target = UnsafeMutablePointer(mutating: message.unsafeBase)
    target.update(from: output.unsafeBase, count: outputCount)
    (target + outputCount).update(from: sums.unsafeBase, count: rows * heads)
    let stride = MemoryLayout<Scalar>.stride
    var traffic = Traffic()
    let start = ContinuousClock.now
    try communicator.allGather(
      UnsafeRawBufferPointer(message.writableBytes), into: all.writableBytes, keeping: [message, all])
    traffic.waited = ContinuousClock.now - start
    traffic.sent = count * stride * (communicator.size - 1)
    traffic.received = traffic.sent
    var merged = try refusing { () throws(AttentionError) in
      try RunningAttention<Element>.begun(rows: rows, heads: heads, width: width)
    }
    try refusing { () throws(AttentionError) in
      for rank in 0..<communicator.size {
        let part = all.selected(axis: 0, rank)
        try merged.add(
          part.sliced(axis: 0, 0..<outputCount).reshaped(to: [rows, heads, width]),
          part.sliced(axis: 0, outputCount..<count).reshaped(to: [heads, rows]), at: 0, on: pool)
      }
    }
    return finish(&merged, traffic)
  }

  /// The result of all keys, with sinks.
  private func finish<Element: AttentionElement>(
    _ running: inout RunningAttention<Element>, _ traffic: Traffic
  ) -> Result<Element> {
    running.end(sinks: attention.options.sinks, on: pool)
    let (output, sums) = running.results
    return Result(output: output, logSumExp: sums, traffic: traffic)
  }
}

extension RunningAttention {
  /// All rows at once.
  fileprivate static func begun(rows: Int, heads: Int, width: Int) throws(AttentionError) -> Self {
    var running = try Self(rows: rows, heads: heads, width: width)
    running.begin(rows)
    return running
  }
}
