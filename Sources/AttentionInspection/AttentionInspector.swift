import Attention

/// What attention does with its inputs: who looks at what, how much of it arrives, and how spread out it is.
///
///     p[i,j]           the weight of key j for query i, as in ``Attention/ScaledDotProductAttention``
///     p[i,j] · v[j]    what key j contributes to the output y[i]; the contributions of all keys add up to it
///     Σ_i p[i,j]       the mass that key j received
///
/// Weights alone mislead: a key can take most of the weight and add next to nothing, because its value is short. The norm
/// of a contribution says what arrived (Kobayashi et al. 2020, "Attention is Not Only a Weight: Analyzing Transformers
/// with Vector Norms"). They apply a head's part of the output projection to the values first; pass values projected so
/// to have their measure.
///
/// Edges: a query that sees no key has weights of 0. With sinks the weights of a row add up to less than 1; the rest is
/// the sink's. NaN in what a query sees makes its whole row NaN; what no query sees reaches nothing.
///
/// Memory: weights are computed for one head at a time, in blocks of its rows. A block holds 16 MiB of weights, or one row (`Tk`
/// numbers of ``Attention/AttentionElement/Accumulator``) where that is more; computing it takes about 1 MiB a thread beside it, or a row. No
/// `Tq × Tk` matrix exists unless a function is asked for all its rows.
public struct AttentionInspector<Element: AttentionElement>: Sendable {
  /// The attention that is inspected.
  public let attention: ScaledDotProductAttention
  /// Its queries.
  public let queries: Queries<Element>
  /// Its keys and values.
  public let keyValues: KeyValues
  let call: InspectedCall<Element>

  /// What a block of weights may take, as far as whole rows allow; tests make blocks small with it.
  ///
  /// 16 MiB: large enough that a call's overhead is lost in its work, small enough to stay in a server's last-level cache.
  package var blockByteCount = 16 << 20

  /// An inspector of one call of attention. The tensors are kept, not copied.
  ///
  /// - Parameters:
  ///   - attention: scale, mask, options and threads.
  ///   - queries: a tensor `[B, Hq, Tq, D]`, or padded or packed ``Attention/Queries``.
  ///   - keyValues: keys and values from any source.
  /// - Throws: ``Attention/AttentionError``, as the call would.
  public init<Q: AttentionQueries<Element>>(
    _ attention: ScaledDotProductAttention, _ queries: Q, _ keyValues: KeyValues
  ) throws(AttentionError) {
    self.attention = attention
    self.queries = queries.queries
    self.keyValues = keyValues
    call = try InspectedCall(attention, queries.queries, keyValues)
  }

  /// `B`
  public var sequenceCount: Int { call.sizes.batch }
  /// `Hq`
  public var headCount: Int { call.sizes.queryHeads }
  /// `Hkv`
  public var keyValueHeadCount: Int { call.sizes.keyValueHeads }
  /// `Tq`, that of the longest sequence where they are packed.
  public var queryCount: Int { call.sizes.queryCount }
  /// `Tk`, that of the longest sequence where keys do not lie in tensors. A shorter sequence has weights of 0 past its keys.
  public var keyCount: Int { call.sizes.keyCount }
  /// `Dv`
  public var valueWidth: Int { call.sizes.valueDimension }

  /// The key/value head that a query head reads: `head / (Hq / Hkv)`.
  ///
  /// A head that does not exist is counted on; where there are none at all, each would read its own.
  public func keyValueHead(of head: Int) -> Int { head / max(1, call.sizes.groupSize) }

  /// The threads that work on it.
  var pool: WorkerPool { attention.pool }
}

// MARK: - Weights

extension AttentionInspector {
  /// Calls `body` with the weights of a head's queries, block after block in order: all of them, where the whole matrix would be too
  /// large.
  ///
  /// - Parameters:
  ///   - sequence: which sequence.
  ///   - head: which query head.
  ///   - queries: the rows; all when nil.
  ///   - body: receives the block's queries and their weights `[n, Tk]`. How many rows a block has follows from `Tk` alone.
  /// - Throws: ``Attention/AttentionError`` where the sequence, the head or a query is out of range, or there is no memory for a block.
  public func forEachBlock(
    sequence: Int, head: Int, queries: Range<Int>? = nil,
    _ body: (_ queries: Range<Int>, _ weights: Tensor<Element.Accumulator>) -> Void
  ) throws(AttentionError) {
    let all = queries ?? 0..<queryCount
    try check(sequence: sequence, head: head)
    try check(all, named: "queries", within: queryCount)
    var next = all.lowerBound
    while next < all.upperBound {
      let block = next..<next + min(rowsPerBlock, all.upperBound - next)
      body(block, try weights(sequence: sequence, head: head, queries: block))
      next = block.upperBound
    }
  }

  /// The weights `p[i,j]` of some queries of one head.
  ///
  /// - Returns: `[n, Tk]` for `n` queries. Rows add up to 1, to less with sinks, to 0 where a query sees no key.
  /// - Throws: ``Attention/AttentionError`` where the sequence, the head or a query is out of range, or no memory holds the result.
  public func weights(
    sequence: Int, head: Int, queries: Range<Int>
  ) throws(AttentionError) -> Tensor<Element.Accumulator> {
    try check(sequence: sequence, head: head)
    try check(queries, named: "queries", within: queryCount)
    return try call.weights(sequence: sequence, head: head, queries: queries)
  }

  /// How many queries a block has: as many as its bytes allow, at least one.
  private var rowsPerBlock: Int {
    // An axis is at most 2³¹ − 1 long.
    max(1, blockByteCount / (MemoryLayout<Element.Accumulator>.stride * max(1, keyCount)))
  }
}

// MARK: - Checks

extension AttentionInspector {
  /// Throws where a sequence or head does not exist: they come from command lines and requests.
  func check(sequence: Int, head: Int) throws(AttentionError) {
    for (name, index, count) in [("sequence", sequence, sequenceCount), ("head", head, headCount)]
    where !(0..<count).contains(index) {
      throw AttentionError(name, "\(index) given, expected one in 0..<\(count)")
    }
  }

  /// Throws where a range leaves `0..<count`.
  func check(_ range: Range<Int>, named name: String, within count: Int) throws(AttentionError) {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw AttentionError(name, "\(range) given, expected a range within 0..<\(count)")
    }
  }
}
