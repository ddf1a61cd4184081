import Attention
import DistributedAttention

/// A pass over a text whose keys and values are spread over ranks.
struct ShardedPass<Over: Communicator>: PassCache {
  let communicator: Over
  /// Which rows of the pass this rank computes.
  let shares: RowShares
  /// The position of the pass's first row.
  let first: Int
  /// This rank's blocks that the pass does not change, and where they start.
  let earlier: [(start: Int, view: CacheView)]
  /// This rank's blocks that take rows of the pass.
  let appended: [Appended]

  struct Appended {
    /// The position of the block's first row.
    let start: Int
    let step: KeyValueStep
    /// Of the pass.
    let rows: Range<Int>
  }

  func attention<Element: AttentionElement>(
    of queries: Tensor<Element>, keys: Tensor<Float>, values: Tensor<Float>, layer: Int,
    _ attention: DecoderAttention
  ) throws(AttentionError) -> Tensor<Element> {
    let all = try asAttentionError { () throws(DistributedError) in
      (
        queries: try shares.gathered(queries, over: communicator),
        keys: try shares.gathered(keys, over: communicator),
        values: try shares.gathered(values, over: communicator)
      )
    }
    var parts: [KeyValues] = []
    for block in earlier {
      parts.append(try block.view.keyValues(layer: layer).starting(at: block.start))
    }
    for block in appended {
      let keys = try turned(all.keys, block.rows, attention)
      try block.step.write(
        layer: layer, keys: keys, values: all.values.sliced(axis: 0, block.rows), on: attention.attend.pool)
      parts.append(try block.step.keyValues(layer: layer).starting(at: block.start))
    }
    let result = try asAttentionError { () throws(DistributedError) in
      try ShardedAttention(attention.attend, over: communicator).decode(
        all.queries, lengths: [shares.count], parts, keyCounts: [first + shares.count])
    }
    return result.output.sliced(axis: 0, shares.rows(of: communicator.rank))
  }

  /// Rows of the pass's keys, turned by their positions in the text: those in a block of its own count from its start.
  private func turned(
    _ keys: Tensor<Float>, _ rows: Range<Int>, _ attention: DecoderAttention
  ) throws(AttentionError) -> Tensor<Float> {
    let heads = keys.sliced(axis: 0, rows).permuted(1, 0, 2).expanded(axis: 0)
    let turned = try attention.rotary.applied(
      to: heads, positions: .ids(positions(rows)), on: attention.attend.pool)
    return turned.selected(axis: 0, 0).permuted(1, 0, 2)
  }

  /// The positions of rows of the pass in the text.
  func positions(_ rows: Range<Int>) -> Tensor<Int64> {
    Tensor(unsafeUninitializedShape: [rows.count]) { target in
      for (index, row) in rows.enumerated() { target.initializeElement(at: index, to: Int64(first + row)) }
    }
  }
}

/// Runs what exchanges messages, and says what went wrong as passes do.
func asAttentionError<Result>(
  _ body: () throws(DistributedError) -> Result
) throws(AttentionError) -> Result {
  do throws(DistributedError) { return try body() } catch {
    if case .refused(let refusal) = error { throw refusal }
    throw AttentionError("communicator", "\(error)")
  }
}
