import Attention

/// Attention whose keys, queries or heads lie on several ranks.
///
///     let attend = ScaledDotProductAttention(mask: .causal)
///     let sharded = ShardedAttention(attend, over: communicator)
///     let y = try sharded.prefill(q, k, v, sharding)           // each rank: its part of the sequence
///     let y = try sharded.decode(q, keyValues, …)              // each rank: the same queries, its part of the keys
///
/// | way | each rank has | what travels | for |
/// |---|---|---|---|
/// | ``decode(_:lengths:_:keyCounts:)`` | all queries, part of the keys | outputs and log-sum-exps | few queries over long keys |
/// | ``prefill(_:_:_:_:keySharding:)`` | part of queries and keys | keys and values, while it computes | long prompts |
/// | ``prefillByHeads(_:_:_:_:keySharding:)`` | part of queries and keys | queries, keys, values and outputs | prompts, where heads divide |
/// | ``attendBySequences(_:lengths:_:_:lengths:)`` | whole sequences | nothing but outputs | batches |
///
/// All ranks make the same calls in the same order. A call begins with a comparison of what each rank was given: where ranks disagree on shapes,
/// types, masks or options, all of them throw before anything is sent. Rules and options are compared by what they say of themselves, tensors of masks
/// by their shapes. Masks, windows, ALiBi, softcap and sinks mean what they mean alone; positions
/// are those of the whole sequence. A ``Attention/ScoreModifier`` is refused, since it is told where a score stands in the local call.
///
/// Results: those by heads and by sequences have the bits of one rank's. The other two merge partial results by ``Attention/mergeAttention(_:on:)``'s formula in
/// an order that depends on rank and number of ranks, and in a prefill on ``keysPerMessage`` and ``rowsPerPass``: within rounding of one rank's result, and the
/// same bits each time.
public struct ShardedAttention<Over: Communicator>: Sendable {
  /// The rules of a call, and the threads of this rank.
  public let attention: ScaledDotProductAttention
  /// The ranks.
  public let communicator: Over
  /// What keys and values are rounded to before they travel in ``prefill(_:_:_:_:keySharding:)``; nil leaves them as they are stored. All keys are rounded, those
  /// that stay too: the result is attention over the rounded numbers on any number of ranks.
  public var wire: KeyValueType?
  /// Keys of one message of ``prefill(_:_:_:_:keySharding:)``. One comes while another is computed on.
  public var keysPerMessage = 4096
  /// How many rows of a rank's queries one pass of ``prefill(_:_:_:_:keySharding:)`` computes.
  ///
  /// In half precision the merged outputs are kept in Float32 until a pass ends, which takes twice the memory of its rows' results; fewer rows a pass take less. In
  /// return each rank sends its keys once for each pass that sees some of them. All of these messages begin at once, and what MPI keeps of messages that their receiver
  /// does not expect yet grows with their number. Float32 and Float64 results are merged in place, so that passes save nothing.
  public var rowsPerPass = Int.max

  /// Attention with these rules over these ranks.
  public init(_ attention: ScaledDotProductAttention, over communicator: Over, wire: KeyValueType? = nil) {
    (self.attention, self.communicator, self.wire) = (attention, communicator, wire)
  }

  var pool: WorkerPool { attention.pool }

  /// What a rank gets.
  public struct Result<Element: AttentionElement>: Sendable {
    /// `[rows, Hq, Dv]` for this rank's rows.
    public let output: Tensor<Element>
    /// `[Hq, rows]`, in the accumulation type. Sinks do not count. Of a prefill with bfloat16 queries it may be that of rounded weights; see
    /// ``ShardedAttention/prefill(_:_:_:_:keySharding:)``.
    public let logSumExp: Tensor<Element.Accumulator>
    /// What this rank sent and received.
    public let traffic: Traffic
  }

  /// Throws what cannot be split up.
  func checkRules() throws(AttentionError) { try attention.checkCanBeSplit() }

  /// The rules without sinks, which belong to the whole.
  func local(_ mask: AttentionMask) -> ScaledDotProductAttention {
    var local = attention
    local.mask = mask
    local.options.sinks = nil
    return local
  }

  /// Where query 0 of each sequence stands among the keys of the whole.
  func offsets(queries: [Int], keys: [Int]) throws(AttentionError) -> [Int] {
    try attention.offsets(queries: queries, keys: keys)
  }
}

extension ScaledDotProductAttention {
  /// Throws what cannot be split up.
  func checkCanBeSplit() throws(AttentionError) {
    if mask.hasModifiers {
      throw AttentionError(
        "mask", "a score modifier given, expected rules and tensors: it would be told local places of scores")
    }
  }

  /// Where query 0 of each sequence stands among the keys of the whole.
  func offsets(queries: [Int], keys: [Int]) throws(AttentionError) -> [Int] {
    switch mask.alignment {
    case .bottomRight: return zip(keys, queries).map { $0 - $1 }
    case .topLeft: return queries.map { _ in 0 }
    case .offset(let offset): return queries.map { _ in offset }
    case .offsets(let offsets):
      guard offsets.count == queries.count else {
        throw AttentionError("mask", "\(offsets.count) offsets given for \(queries.count) sequences")
      }
      return offsets
    }
  }
}

/// What a rank sent and received in a call, and how long it waited.
public struct Traffic: Hashable, Sendable {
  /// Bytes to other ranks.
  public internal(set) var sent = 0
  /// Bytes from other ranks.
  public internal(set) var received = 0
  /// How long the rank waited for messages with nothing to compute.
  public internal(set) var waited = Duration.zero
  /// How long it waited after the last of its work for others to take what it had sent: as long as they are behind in theirs.
  public internal(set) var waitedToSend = Duration.zero

  /// No traffic yet.
  public init() {}

  /// Waits for a transfer.
  mutating func wait(for transfer: any Transfer) throws(DistributedError) {
    let start = ContinuousClock.now
    try transfer.wait()
    waited += ContinuousClock.now - start
  }
}
