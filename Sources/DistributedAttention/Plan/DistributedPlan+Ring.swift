extension DistributedPlan {
  /// Keys that a rank of a ring prefill attends over at once, for models of its time.
  package struct RingBlock: Hashable, Sendable {
    /// The rank that has them.
    package let source: Int
    /// The index in the batch.
    package let sequence: Int
    /// Counted in the sequence.
    package let keys: Range<Int>
    /// Those of the rank that attend over them in this pass, counted in the sequence.
    package let queries: [Range<Int>]
    /// What travels; nothing where the rank has the keys itself.
    package let sent: Sent
  }

  /// The blocks of keys that a rank attends over: its own, and those that come in their order, each of all passes. None where ``Way/prefill`` is impossible.
  package func ringBlocks(of rank: Int) -> (own: [RingBlock], arriving: [RingBlock]) {
    guard let exchange, let row = call.ringRow else { return ([], []) }
    func blocks(_ pass: KeyExchange.Pass, from source: Int) -> [RingBlock] {
      exchange.blocks(pass, from: source, to: rank).map { block in
        RingBlock(
          source: source, sequence: block.sequence, keys: block.positions,
          queries: pass.queries[rank].filter { $0.sequence == block.sequence }.map(\.positions),
          sent: source == rank
            ? Sent() : Sent(bytes: block.rows.count * row.bytes, messages: row.messages))
      }
    }
    let arriving = exchange.passes.flatMap { pass in
      (1..<max(ranks, 1)).flatMap { blocks(pass, from: (rank + ranks - $0) % ranks) }
    }
    return (exchange.passes.flatMap { blocks($0, from: rank) }, arriving)
  }
}
