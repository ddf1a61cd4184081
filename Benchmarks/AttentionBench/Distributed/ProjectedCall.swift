import Attention
import DistributedAttention

/// A causal prompt and a decoded token, and what they are on so many ranks.
package struct ProjectedCall: Sendable {
  /// Tokens of the prompt.
  package var prompt: Int
  /// Keys that a token is decoded over.
  package var keys: Int
  package var heads: Int
  package var keyHeads: Int
  package var width: Int
  package var type: ElementType

  package init(prompt: Int, keys: Int, heads: Int, keyHeads: Int, width: Int, type: ElementType) {
    (self.prompt, self.keys, self.heads, self.keyHeads) = (prompt, keys, heads, keyHeads)
    (self.width, self.type) = (width, type)
  }

  /// A way on so many ranks.
  package struct Row: Sendable {
    package let way: DistributedPlan.Way
    package let ranks: Int
    /// Of the slowest rank.
    package let time: ClusterModel.Time
    /// Of the rank that sends most.
    package let sent: DistributedPlan.Sent
    /// Bytes of the rank that has most, arguments and results among them.
    package let memory: Int
    /// Whether the plan picks it, of the ways that compute the same from the same place.
    package let isPick: Bool
  }

  /// The ways that are possible on so many ranks: prefill by ring and by heads, and decode.
  ///
  /// - Throws: ``AttentionError`` where the call does not fit.
  package func rows(ranks: Int, _ model: ClusterModel) throws(AttentionError) -> [Row] {
    let prefill = try DistributedPlan(call(queries: prompt, keys: prompt), ranks: ranks)
    let pick = prefill.pick(among: [.prefill, .prefillByHeads])
    var rows = [row(.prefill, prefill, ring(prefill, model), ringMemory(ranks), pick)]
    if prefill[.prefillByHeads].isPossible {
      let sent = prefill[.prefillByHeads].largest
      let operations = Double(pairs(0..<prompt, 0..<prompt)) * Double(heads / ranks) * operationsPerPair
      let time = model.heads(
        operations: operations, bytes: sent.bytes, messages: sent.messages, ranks: ranks)
      rows.append(row(.prefillByHeads, prefill, time, headMemory(ranks), pick))
    }
    let decode = try DistributedPlan(call(queries: 1, keys: keys), ranks: ranks)
    let mine = (keys + ranks - 1) / ranks
    let time = model.tree(
      keyBytes: mine * keyBytes, resultBytes: heads * (width + 1) * sumBytes, mergedNumbers: heads * width,
      ranks: ranks)
    let memory = mine * keyBytes + 2 * rowBytes + (ranks + 2) * heads * (width + 1) * sumBytes
    return rows + [row(.decode, decode, time, memory, .decode)]
  }

  private func row(
    _ way: DistributedPlan.Way, _ plan: DistributedPlan, _ time: ClusterModel.Time, _ memory: Int,
    _ pick: DistributedPlan.Way?
  ) -> Row {
    Row(
      way: way, ranks: plan.ranks, time: time, sent: plan[way].largest, memory: memory, isPick: pick == way)
  }

  private func call(queries: Int, keys: Int) -> DistributedCall {
    var call = DistributedCall(
      ScaledDotProductAttention(mask: .causal), lengths: [queries], heads: heads, keyHeads: keyHeads,
      width: width, type)
    call.keyLengths = [keys]
    return call
  }

  // MARK: - Time

  /// Of the slowest rank.
  private func ring(_ plan: DistributedPlan, _ model: ClusterModel) -> ClusterModel.Time {
    let times = (0..<plan.ranks).map { rank in
      func block(_ block: DistributedPlan.RingBlock) -> ClusterModel.Block {
        let (seen, rows) = block.queries.reduce((0, 0)) {
          ($0.0 + pairs($1, block.keys), $0.1 + $1.count)
        }
        return ClusterModel.Block(
          operations: Double(seen) * Double(heads) * operationsPerPair,
          mergedNumbers: Double(rows) * Double(heads * width), bytes: block.sent.bytes,
          messages: block.sent.messages)
      }
      let blocks = plan.ringBlocks(of: rank)
      return model.ring(
        own: blocks.own.map(block), arriving: blocks.arriving.map(block), ranks: plan.ranks)
    }
    return times.max { $0.seconds < $1.seconds } ?? ClusterModel.Time(seconds: 0, waiting: 0)
  }

  /// Pairs of a query and a key before or at its position.
  package func pairs(_ queries: Range<Int>, _ keys: Range<Int>) -> Int {
    // The queries before `end` see 1, 2, … keys, and all from the last key on.
    func before(_ end: Int) -> Int {
      let count = max(0, end - keys.lowerBound)
      let growing = min(count, keys.count)
      return growing * (growing + 1) / 2 + (count - growing) * keys.count
    }
    return before(queries.upperBound) - before(queries.lowerBound)
  }

  var operationsPerPair: Double { 4 * Double(width) }

  // MARK: - Bytes

  /// A query or an output of all heads.
  private var rowBytes: Int { heads * width * type.byteCount }

  /// A key and its value, of all heads.
  var keyBytes: Int { 2 * keyHeads * width * type.byteCount }

  /// Queries, keys, values, outputs and their sums of the prompt, and the keys that are decoded over.
  var bytes: Double {
    let row = Double(2 * rowBytes + keyBytes + heads * (width + 1) * sumBytes)
    return Double(prompt) * row + Double(keys) * Double(keyBytes)
  }

  private var sumBytes: Int { type == .float64 ? 8 : 4 }

  /// Queries, keys and values; outputs that are merged, and rounded in the end; the partial outputs of 1024 rows; two messages.
  private func ringMemory(_ ranks: Int) -> Int {
    let rows = (prompt + ranks - 1) / ranks
    let partial = min(1024, rows) * heads * (width * type.byteCount + sumBytes)
    let messages = ranks > 1 ? 2 * min(4096, rows) * keyBytes : 0
    return rows * (2 * rowBytes + keyBytes) + rows * heads * (width + 1) * sumBytes + partial + messages
  }

  /// Queries, keys, values and outputs of this rank's rows, and of all rows of its heads.
  private func headMemory(_ ranks: Int) -> Int {
    let rows = (prompt + ranks - 1) / ranks
    let mine = rows * (2 * rowBytes + keyBytes)
    return mine + (2 * rowBytes + keyBytes) / ranks * prompt + 2 * rows * heads * sumBytes
  }
}
