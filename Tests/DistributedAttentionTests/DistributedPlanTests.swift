import Attention
import DistributedAttention
import Testing

/// What plans say of a call, beside what the call sends.
struct DistributedPlanTests {
  private static func call(
    _ mask: AttentionMask = .causal, _ lengths: [Int] = [33, 0, 50], _ elements: ElementType = .float32,
    _ change: (inout DistributedCall) -> Void = { _ in }
  ) -> DistributedCall {
    var call = DistributedCall(
      ScaledDotProductAttention(mask: mask, on: WorkerPool(threads: 1)), lengths: lengths, heads: 24,
      keyHeads: 12, width: 16, elements)
    call.keysPerMessage = 5
    change(&call)
    return call
  }

  private static let cases: [PlannedCall] = {
    let short = Tensor<Float>.normal([50, 20], seed: 9)
    let masks: [(String, AttentionMask)] = [
      ("no mask", .none), ("causal", .causal), ("window", .causal & .window(left: 6)),
      ("two-sided window", .window(left: 3, right: 4)),
      ("window keeping 3", .causal & .window(left: 7, keepingFirst: 3)),
      ("a tensor that ends early", .additive(short)), ("offset 5", .causal(.offset(5))),
    ]
    return masks.map { PlannedCall($0.0, call($0.1)) } + [
      PlannedCall("one sequence", call(.causal, [24])),
      PlannedCall("blocks", call { ($0.order, $0.keyOrder) = (.blocks, .blocks) }),
      PlannedCall("queries in blocks over keys in zigzag", call { $0.order = .blocks }),
      PlannedCall("more sequences than ranks", call(.causal, [1, 9, 3, 3, 4, 2, 0, 7])),
      PlannedCall("keys of their own", call(.causal, [7, 40]) { $0.keyLengths = [29, 101] }),
      PlannedCall("top-left", call(.causal(.topLeft), [7, 40]) { $0.keyLengths = [29, 101] }),
      PlannedCall("decode", call(.causal, [1, 1, 1]) { $0.keyLengths = [70, 5, 211] }),
      PlannedCall("one message", call { $0.keysPerMessage = 4096 }),
      PlannedCall("7 rows a pass", call { $0.rowsPerPass = 7 }),
      PlannedCall("window, a row a pass", call(.causal & .window(left: 6)) { $0.rowsPerPass = 1 }),
      PlannedCall("other widths", call { ($0.depth, $0.width) = (24, 8) }),
      PlannedCall("Double", call(.causal, [33], .float64)),
      PlannedCall("BFloat16", call(.causal, [33, 8], .bfloat16)),
      PlannedCall("Float over BFloat16", call { ($0.keys, $0.values) = (.bfloat16, .bfloat16) }),
      PlannedCall("Int8", call { ($0.keys, $0.values) = (.int8, .int8) }),
      PlannedCall("Int8 keys, BFloat16 values", call { ($0.keys, $0.values) = (.int8, .bfloat16) }),
      PlannedCall("bfloat16 on the wire", call { $0.wire = .bfloat16 }),
      PlannedCall("float16 on the wire", call { $0.wire = .float16 }),
      PlannedCall("Int8 on the wire", call { $0.wire = .int8 }),
    ]
  }()

  @Test(arguments: [1, 2, 3, 4]) func bytesAndMessagesAreThoseOfTheCall(_ ranks: Int) throws {
    for one in Self.cases {
      let plan = try DistributedPlan(one.call, ranks: ranks)
      for way in DistributedPlan.Way.allCases where plan[way].isPossible {
        let sent = try LocalCommunicator.run(ranks: ranks) { try one.sent(way, over: $0) }
        #expect(plan[way].sent.map(\.bytes) == sent.map(\.bytes), "\(one), \(way), \(ranks) ranks")
        // Decode gathers, and gatherings of ranks that are threads are a message to each other one.
        let messages = way == .decode ? sent.map { _ in ranks - 1 } : sent.map(\.messages)
        #expect(plan[way].sent.map(\.messages) == messages, "\(one), \(way), \(ranks) ranks")
      }
      let possible = DistributedPlan.Way.allCases.filter { plan[$0].isPossible }
      let takesNumbers = !one.description.contains("Int8") || one.call.wire != nil
      #expect(possible.count == (takesNumbers ? 4 : 3), "\(one): \(plan)")
    }
  }

  /// A pass is over rows of one rank, and so are the bytes that an Int has to count.
  @Test func aLongPromptInOnePassOfEachRankIsPlanned() throws {
    var call = DistributedCall(
      ScaledDotProductAttention(mask: .none), lengths: [1 << 20], heads: 8, keyHeads: 8, width: 128)
    (call.keysPerMessage, call.rowsPerPass) = (1 << 20, 1024)
    let one = try DistributedPlan(call, ranks: 1024)
    call.rowsPerPass = .max
    #expect(try one[.prefill].total == DistributedPlan(call, ranks: 1024)[.prefill].total)
  }

  @Test(arguments: [4, Int.max]) func ringBlocksAreWhatTravels(rowsPerPass: Int) throws {
    let plan = try DistributedPlan(Self.call { $0.rowsPerPass = rowsPerPass }, ranks: 3)
    var sent = [0, 0, 0]
    var messages = [0, 0, 0]
    for rank in 0..<3 {
      let blocks = plan.ringBlocks(of: rank)
      #expect(blocks.own.allSatisfy { $0.source == rank && $0.sent.bytes == 0 })
      for block in blocks.arriving {
        #expect(block.source != rank && (1...5).contains(block.keys.count))
        sent[block.source] += block.sent.bytes
        messages[block.source] += block.sent.messages
      }
    }
    #expect(plan[.prefill].sent.map(\.bytes) == sent)
    #expect(plan[.prefill].sent.map(\.messages) == messages)
  }

  @Test func countsByHand() throws {
    var call = DistributedCall(
      ScaledDotProductAttention(), lengths: [8], heads: 4, keyHeads: 4, width: 16)
    let plan = try DistributedPlan(call, ranks: 2)
    // 8 rows of 4 heads, 16 outputs and a sum.
    #expect(plan[.decode].largest.bytes == 8 * 4 * 17 * 4)
    // 4 keys and values of 4 heads, in one block.
    #expect(plan[.prefill].sent.map(\.bytes) == [4 * 4 * 2 * 64, 4 * 4 * 2 * 64])
    // 4 rows of 2 heads of queries, keys, values and outputs, and sums.
    #expect(plan[.prefillByHeads].largest.bytes == 4 * 2 * (4 * 64 + 4))
    #expect(plan[.attendBySequences].sent.map(\.bytes) == [8 * 4 * (64 + 4), 0])
    #expect(plan[.attendBySequences].idleRanks == 1)
    #expect(plan[.attendBySequences].total.messages == 2)
    call.wire = .int8
    #expect(try DistributedPlan(call, ranks: 2)[.prefill].largest.bytes == 4 * 4 * 2 * (16 + 4))
    #expect(
      try DistributedPlan(call, ranks: 1).estimates.allSatisfy { $0.total.bytes + $0.total.messages == 0 })
  }

  @Test func thePickMovesLeast() throws {
    let call = DistributedCall(
      ScaledDotProductAttention(), lengths: [8], heads: 4, keyHeads: 4, width: 16)
    let plan = try DistributedPlan(call, ranks: 2)
    // 4096, 4160, 4352; sequences move 2176, but then one of two ranks does all the work.
    #expect(plan.pick == .prefill)
    #expect(plan.pick(among: [.decode, .prefillByHeads]) == .prefillByHeads)
    #expect(plan.pick(among: [.attendBySequences, .decode]) == .decode)
    #expect(plan.pick(among: [.attendBySequences]) == .attendBySequences)
    #expect(plan.pick(among: []) == nil)
    // Nothing travels: the first of equals.
    #expect(try DistributedPlan(call, ranks: 1).pick == .decode)
    var batch = call
    batch.lengths = [8, 8, 8, 8]
    batch.keyLengths = [8, 8, 8, 8]
    #expect(try DistributedPlan(batch, ranks: 2).pick == .attendBySequences)
    var token = call
    (token.lengths, token.keyLengths) = ([1], [4096])
    #expect(try DistributedPlan(token, ranks: 4).pick == .decode)
  }

  @Test func whatIsImpossibleSaysWhy() throws {
    func obstacle(
      _ way: DistributedPlan.Way, ranks: Int = 4, _ change: (inout DistributedCall) -> Void
    ) throws -> DistributedPlan.Obstacle? {
      let plan = try DistributedPlan(Self.call { change(&$0) }, ranks: ranks)
      #expect(plan[way].sent.isEmpty == (plan[way].obstacle != nil))
      return plan[way].obstacle
    }
    #expect(
      try obstacle(.prefillByHeads) { ($0.heads, $0.keyHeads) = (6, 3) } == .queryHeads(6, ranks: 4))
    #expect(try obstacle(.prefillByHeads) { ($0.heads, $0.keyHeads) = (8, 2) } == .keyHeads(2, ranks: 4))
    #expect(try obstacle(.prefillByHeads) { $0.keys = .int8 } == .storage(.int8))
    #expect(try obstacle(.prefill) { $0.keys = .int8 } == nil)
    #expect(try obstacle(.prefill) { $0.values = .int4 } == .storage(.int4))
    #expect(try obstacle(.attendBySequences) { $0.keys = .planes } == .storage(.planes))
    #expect(try obstacle(.decode) { ($0.keys, $0.values) = (.planes, .int4) } == nil)
    #expect(try obstacle(.prefill) { $0.wire = .int4 } == .wire(.int4, of: .float32))
    #expect(
      try obstacle(.prefill) { ($0.keys, $0.wire) = (.int8, .bfloat16) } == .wire(.bfloat16, of: .int8))
    #expect(try obstacle(.attendBySequences, ranks: 64) { _ in } == nil)
    let plan = try DistributedPlan(Self.call { ($0.heads, $0.keyHeads) = (8, 2) }, ranks: 4)
    #expect(plan.description.contains("impossible: 2 key/value heads do not divide among 4 ranks"))
    #expect(plan.description.hasSuffix("pick of 4 ranks: \(plan.pick)"))
    #expect(plan.description.split(separator: "\n").count == 6)
    // And the call itself refuses it.
    let one = PlannedCall("", Self.call { ($0.heads, $0.keyHeads) = (8, 2) })
    #expect(throws: DistributedError.self) {
      try LocalCommunicator.run(ranks: 4) { _ = try one.sent(.prefillByHeads, over: $0) }
    }
  }

  @Test func whatDoesNotFitIsThrown() throws {
    func refusal(
      ranks: Int = 2, _ change: (inout DistributedCall) -> Void
    ) -> String? {
      #expect(throws: AttentionError.self) {
        try DistributedPlan(Self.call { change(&$0) }, ranks: ranks)
      }?.argument
    }
    #expect(refusal(ranks: 0) { _ in } == "ranks")
    #expect(refusal(ranks: .max) { _ in } == "ranks")
    #expect(refusal { $0.heads = 0 } == "heads")
    #expect(refusal { $0.keyHeads = 5 } != nil)
    #expect(refusal { $0.width = -1 } == "width")
    #expect(refusal { $0.keysPerMessage = 0 } == "keysPerMessage")
    #expect(refusal { $0.rowsPerPass = 0 } == "rowsPerPass")
    #expect(refusal { $0.keyLengths = [1] } == "keyLengths")
    #expect(refusal { $0.lengths = [1, -1, 2] } == "lengths")
    #expect(refusal { $0.elements = .int8 } == "elements")
    #expect(refusal { $0.keys = .float64 } == "packedKeys")
    #expect(refusal { $0.attention.options.sinks = [1] } == "sinks")
    #expect(refusal { $0.attention.mask = .alibi(slopes: [1]) } == "mask")
    #expect(refusal { $0.attention.mask = .additive(Tensor<Float>.zeros([2, 3])) } == "mask")
    #expect(
      refusal { $0.attention.mask = .modifier(ScoreModifier { score, _ in score }) } == "mask")
    #expect(refusal { $0.attention.mask = .causal(.offsets([1])) } == "mask")
  }

  /// That of docs/Distributed.md, which was counted by hand.
  @Test func aTableIsPrinted() throws {
    let call = DistributedCall(
      ScaledDotProductAttention(mask: .causal), lengths: [131_072], heads: 32, keyHeads: 8, width: 128,
      .bfloat16)
    let table = """
      way                most of a rank, bytes  messages  in all, bytes  messages  idle ranks
      decode                        6492782592         3    25971130368        12           0
      prefill                        402653184        48     1207959552       144           0
      prefillByHeads                 506462208        28     2025848832       105           0
      attendBySequences             3271557120         6     3271557120         6           3
      pick of 4 ranks: prefill
      """
    #expect(try DistributedPlan(call, ranks: 4).description == table)
  }

  /// Sizes that no machine has end in an error, never in a trap or a wrong count.
  @Test(arguments: [Int(Int32.max), 1 << 40, Int.max / 2, Int.max]) func absurdSizesAreThrown(_ size: Int) {
    let changes: [(inout DistributedCall) -> Void] = [
      { ($0.lengths, $0.keyLengths) = ([size, size], [size, size]) },
      { ($0.heads, $0.keyHeads) = (size, size) }, { $0.heads = size - size % 12 }, { $0.depth = size },
      { $0.width = size }, { ($0.heads, $0.keyHeads, $0.depth, $0.width) = (size, size, size, size) },
    ]
    for (index, change) in changes.enumerated() {
      for ranks in [2, 4096] {
        var call = Self.call(.none)
        change(&call)
        do {
          let plan = try DistributedPlan(call, ranks: ranks)
          #expect(plan.estimates.allSatisfy { $0.total.bytes >= 0 }, "\(size), \(index)")
        } catch {
          #expect(!"\(error)".isEmpty)
        }
      }
    }
    #expect(throws: AttentionError.self) {
      try DistributedPlan(
        Self.call(.none) { ($0.heads, $0.keyHeads, $0.width) = (size, size, size) }, ranks: 4)
    }
  }
}
