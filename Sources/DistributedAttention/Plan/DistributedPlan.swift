import Attention

/// What each way of splitting a call over ranks sends, whether it is possible at all, and which moves least.
///
///     let plan = try DistributedPlan(call, ranks: 4)
///     print(plan)                                             // a table of the four ways, and the pick
///     switch plan.pick(among: [.prefill, .prefillByHeads]) { … }
///
/// Bytes are exactly those that ``Traffic/sent`` of a call reports on that rank, and messages those that it begins. With `P` ranks, bytes `e` of a
/// query's number, `a` of an accumulated one (8 under float64, else 4), `e_k` and `e_v` of a key's and a value's, and for rank `r` its `Tq(r)` queries,
/// `Tk(r)` keys and `S(r)` sequences:
///
/// | way | bytes that rank `r` sends | where data lies before |
/// |---|---|---|
/// | ``Way/decode`` | `(P − 1) · Tq · Hq · (Dv + 1) · a` | all queries on all ranks, each key on one |
/// | ``Way/prefill`` | `Σ_s≠r n(r, s) · Hkv · (D · e_k + Dv · e_v)`, `n(r, s)` being the keys of `r` that queries of `s` see, once for each pass of ``DistributedCall/rowsPerPass`` | queries and keys as they are dealt out |
/// | ``Way/prefillByHeads`` | `(P − 1) · (Tq(r) · Hq/P · D · e + Tk(r) · Hkv/P · (D · e_k + Dv · e_v)) + (Tq − Tq(r)) · Hq/P · (Dv · e + a)` | the same |
/// | ``Way/attendBySequences`` | `(P − 1) · Σ_s∈S(r) Tq_s · Hq · (Dv · e + a)` | all queries on all ranks, all keys of a sequence on the rank that computes it |
///
/// Int8 rows travel with a scale of 4 bytes for each head. Windows and causal masks are in `n(r, s)`: keys that nobody sees do not travel. Tensors of a
/// mask hide no key from being sent, unless they end before it.
///
/// What is not counted, since ``Traffic`` does not count it either: the agreement that a call begins with, 32 bytes from each rank to all. MPI cuts
/// messages of more than its communicator's `largestMessage` into pieces, and gathers what ``Way/decode`` merges in about `log₂ P` rounds
/// instead of the `P − 1` messages that are counted here.
public struct DistributedPlan: Sendable {
  /// A way of splitting a call, named as the method of ``ShardedAttention`` is.
  public enum Way: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Few queries over keys on several ranks: ``ShardedAttention/decode(_:lengths:_:keyCounts:)``.
    case decode
    /// Keys travel around the ring: ``ShardedAttention/prefill(_:_:_:_:keySharding:)``.
    case prefill
    /// Heads are dealt out: ``ShardedAttention/prefillByHeads(_:_:_:_:keySharding:)``.
    case prefillByHeads
    /// Sequences are dealt out: ``ShardedAttention/attendBySequences(_:lengths:_:_:lengths:)``.
    case attendBySequences

    /// The name of the method.
    public var description: String { rawValue }
  }

  /// Why a call cannot be split in some way.
  public enum Obstacle: Hashable, Sendable, CustomStringConvertible {
    /// Each rank would get a part of a query head.
    case queryHeads(Int, ranks: Int)
    /// Each rank would get a part of a key/value head.
    case keyHeads(Int, ranks: Int)
    /// The way takes no rows that are stored so.
    case storage(DistributedCall.Storage)
    /// Rows that are stored so cannot be rounded to what is to travel.
    case wire(KeyValueType, of: DistributedCall.Storage)

    /// One line, for people.
    public var description: String {
      switch self {
      case .queryHeads(let heads, let ranks): "\(heads) query heads do not divide among \(ranks) ranks"
      case .keyHeads(let heads, let ranks): "\(heads) key/value heads do not divide among \(ranks) ranks"
      case .storage(let storage): "it takes no rows of \(storage)"
      case .wire(let type, let storage): "rows of \(storage) do not travel as \(type)"
      }
    }
  }

  /// What a rank sends.
  public struct Sent: Hashable, Sendable {
    /// To all other ranks together.
    public internal(set) var bytes = 0
    /// Likewise.
    public internal(set) var messages = 0
  }

  /// What a way would send.
  public struct Estimate: Hashable, Sendable {
    /// The way.
    public let way: Way
    /// Why it is impossible; nil where it is possible.
    public let obstacle: Obstacle?
    /// What each rank sends, in the order of ranks; empty where the way is impossible.
    public let sent: [Sent]
    /// Ranks that would have nothing to compute: with fewer sequences than ranks, for instance.
    public let idleRanks: Int

    /// Whether the way is possible.
    public var isPossible: Bool { obstacle == nil }

    /// The most bytes, and the most messages, that one rank sends.
    public var largest: Sent {
      sent.reduce(into: Sent()) { largest, rank in
        largest.bytes = max(largest.bytes, rank.bytes)
        largest.messages = max(largest.messages, rank.messages)
      }
    }

    /// What all ranks send together.
    public var total: Sent {
      sent.reduce(into: Sent()) { total, rank in
        total.bytes += rank.bytes
        total.messages += rank.messages
      }
    }

    /// Whether half of the ranks or more would have nothing to compute.
    var isLopsided: Bool { sent.count > 1 && 2 * idleRanks >= sent.count }
  }

  /// The call.
  public let call: DistributedCall
  /// How many ranks there are.
  public let ranks: Int
  /// One for each way, in the order of ``Way``.
  public let estimates: [Estimate]
  let exchange: KeyExchange?

  /// Looks at all ways.
  ///
  /// - Parameters:
  ///   - call: what is computed.
  ///   - ranks: 1 to 4096.
  /// - Throws: ``Attention/AttentionError`` where the call would be refused on one rank, has a ``Attention/ScoreModifier``, or is so large that an Int might not count its bytes.
  ///
  /// Cost: each range rule of the mask is asked about each query, as a prefill does, and each pair of ranks is looked at once a pass.
  public init(_ call: DistributedCall, ranks: Int) throws(AttentionError) {
    try call.check(ranks: ranks)
    let shards = CallShards(call, ranks: ranks)
    exchange = try call.ringObstacle == nil ? shards.exchange() : nil
    (self.call, self.ranks) = (call, ranks)
    estimates = [
      shards.decode(), shards.prefill(exchange), shards.prefillByHeads(), shards.attendBySequences(),
    ]
  }

  /// What a way would send.
  public subscript(way: Way) -> Estimate {
    guard let estimate = estimates.first(where: { $0.way == way }) else {
      preconditionFailure("a plan without \(way)")
    }
    return estimate
  }

  /// The way to take, of all.
  ///
  /// A plan knows neither where data lies nor what arithmetic takes: give ``pick(among:)`` the ways whose data lies as they want it.
  public var pick: Way { pick(among: Way.allCases) ?? .decode }

  /// The possible one of these ways that moves the fewest bytes.
  ///
  /// A way that leaves half of the ranks or more with nothing to compute is picked only where every possible one does: a single sequence moves least when one
  /// rank computes it, and then no other helps. Where ways move as many bytes in total, the one comes first whose largest rank sends fewer, then the
  /// one with fewer messages in total, then the one that ``Way`` names first.
  /// - Returns: nil where none of them is possible.
  public func pick(among ways: [Way]) -> Way? {
    let possible = estimates.filter { ways.contains($0.way) && $0.isPossible }
    func order(_ estimate: Estimate) -> [Int] {
      let total = estimate.total
      return [estimate.isLopsided ? 1 : 0, total.bytes, estimate.largest.bytes, total.messages]
    }
    // The first of equals.
    return possible.min { order($0).lexicographicallyPrecedes(order($1)) }?.way
  }
}
