import Attention
import DistributedAttention

extension ShardedCases {
  /// Ranks that differ in one argument: all of them have to say which one differs in what, and go on with the next call.
  static var disagreements: [ShardedCase] {
    var sizes = CallSizes([24])
    (sizes.heads, sizes.keyHeads) = (24, 12)
    let calls = sizes
    func causal(_ change: (inout ScaledDotProductAttention) -> Void) -> ScaledDotProductAttention {
      var attend = ScaledDotProductAttention(mask: .causal, on: WorkerPool(threads: 1))
      change(&attend)
      return attend
    }
    @Sendable func prefill(
      _ attend: ScaledDotProductAttention, _ sharding: BatchSharding? = nil, _ change: Change = .nothing
    ) -> @Sendable (AnyCommunicator) throws -> Void {
      { communicator in
        let call = PackedCall<Float, Float>(calls, attend)
        let sharding = sharding ?? BatchSharding(lengths: [24], ranks: communicator.size)
        let mine = (
          try sharding.rows(of: call.queries, rank: communicator.rank),
          try sharding.rows(of: call.keys, rank: communicator.rank),
          try sharding.rows(of: call.values, rank: communicator.rank)
        )
        let sharded = ShardedAttention(attend, over: communicator)
        switch change {
        case .nothing: _ = try sharded.prefill(mine.0, mine.1, mine.2, sharding)
        case .type:
          _ = try sharded.prefill(mine.0, mine.1.converted(to: BFloat16.self), mine.2, sharding)
        case .rows: _ = try sharded.prefill(mine.0, mine.1.sliced(axis: 0, 0..<1), mine.2, sharding)
        case .way: _ = try sharded.prefillByHeads(mine.0, mine.1, mine.2, sharding)
        }
      }
    }
    let plain = causal { _ in }
    let cases: [(String, String, @Sendable (AnyCommunicator) throws -> Void)] = [
      ("a mask", "mask", prefill(causal { $0.mask = .causal & .window(left: 3) })),
      ("a scale", "scale", prefill(causal { $0.scale = 0.5 })),
      ("a softcap", "softcap", prefill(causal { $0.options.softcap = 2 })),
      ("a precision", "softmaxPrecision", prefill(causal { $0.options.softmaxPrecision = .float64 })),
      ("a type", "keys", prefill(plain, nil, .type)),
      ("a way", "call", prefill(plain, nil, .way)),
      ("rows", "keys", prefill(plain, nil, .rows)),
    ]
    return cases.map { name, argument, odd in
      ShardedCase("\(name) that differs on the last rank", canSplit: { $0 > 1 && 12 % $0 == 0 }) {
        communicator in
        let last = communicator.size - 1
        do {
          if communicator.rank == last { try odd(communicator) } else { try prefill(plain)(communicator) }
          return "nobody noticed"
        } catch DistributedError.disagreement(last, argument, _, _) {
        } catch DistributedError.refused(let error)
          where communicator.rank == last && error.argument == argument
        {
        } catch {
          return "\(error)"
        }
        try prefill(plain)(communicator)
        return nil
      }
    }
  }

  private enum Change { case nothing, type, rows, way }
}
