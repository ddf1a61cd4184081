extension DistributedPlan {
  /// Keys that a rank of a ring prefill attends over at once, for models of its time.
  package struct RingBlock: Hashable, Sendable {
    /// The rank that has them.
    package let source: Int
    /// The index in the batch.
    package let sequence: Int
    /// Counted in the sequence.
    package let keys: Range<Int>
    /// What travels; nothing where the rank has the keys itself.
    package let sent: Sent
  }

  /// The blocks of keys that a rank attends over, in its order: its own, then those that come. None where ``Way/prefill`` is impossible.
  package func ringBlocks(of rank: Int) -> (own: [RingBlock], arriving: [RingBlock]) {
    guard let exchange, let row = call.ringRow else { return ([], []) }
    func blocks(from source: Int) -> [RingBlock] {
      exchange.blocks(from: source, to: rank).map { block in
        let sent =
          source == rank ? Sent() : Sent(bytes: block.rows.count * row.bytes, messages: row.messages)
        return RingBlock(source: source, sequence: block.sequence, keys: block.positions, sent: sent)
      }
    }
    let arriving = (1..<max(ranks, 1)).flatMap { blocks(from: (rank + ranks - $0) % ranks) }
    return (blocks(from: rank), arriving)
  }
}
