import Attention
import DistributedAttention

/// Every way of splitting attention, over masks, types, lengths and shardings.
public enum ShardedCases {
  /// Threads of each rank.
  private static let pool = WorkerPool(threads: 1)

  /// In the same order on every rank.
  public static let all: [ShardedCase] = prefills + heads + decodes + replicas + disagreements

  private static let batches: [CallSizes] = [
    CallSizes([96]), CallSizes([1]), CallSizes([33, 0, 150]), CallSizes([7, 40], keys: [29, 101]),
    CallSizes([60], keys: [25]),
  ]

  // MARK: - Ring

  private static var prefills: [ShardedCase] {
    var cases: [ShardedCase] = []
    for sizes in batches {
      for rules in Rules.all(sizes, on: pool) {
        for order in SequenceSharding.Order.allCases {
          cases.append(
            prefill(
              "\(rules.name), \(sizes.lengths) over \(sizes.keyLengths), \(order)", sizes, rules.attend,
              order, Float.self, Float.self))
        }
        cases.append(
          prefill(
            "\(rules.name), \(sizes.lengths) over \(sizes.keyLengths), 9 rows a pass", sizes, rules.attend,
            .zigzag,
            Float.self, Float.self, rowsPerPass: 9))
      }
    }
    let sizes = batches[2]
    let causal = ScaledDotProductAttention(mask: .causal, on: pool)
    cases += [
      prefill("Double", sizes, causal, .zigzag, Double.self, Double.self),
      prefill("Float16", sizes, causal, .zigzag, Float16.self, Float16.self),
      prefill("BFloat16", sizes, causal, .zigzag, BFloat16.self, BFloat16.self),
      prefill("Float over BFloat16", sizes, causal, .zigzag, Float.self, BFloat16.self),
      prefill("bfloat16 on the wire", sizes, causal, .zigzag, Float.self, Float.self, wire: .bfloat16),
      prefill("Int8 on the wire", sizes, causal, .zigzag, Float.self, Float.self, wire: .int8),
      prefill("one message", sizes, causal, .zigzag, Float.self, Float.self, keysPerMessage: 4096),
      prefill(
        "BFloat16, 20 rows a pass", sizes, causal, .zigzag, BFloat16.self, BFloat16.self, rowsPerPass: 20),
      prefill("Float16, a row a pass", sizes, causal, .blocks, Float16.self, Float16.self, rowsPerPass: 1),
      prefill("Double, 50 rows a pass", sizes, causal, .zigzag, Double.self, Double.self, rowsPerPass: 50),
      prefill(
        "Int8 on the wire, 20 rows a pass", sizes, causal, .zigzag, Float.self, Float.self, wire: .int8,
        rowsPerPass: 20),
      quantizedPrefill(sizes, causal),
    ]
    return cases
  }

  private static func prefill<Element: AttentionElement, Stored: AttentionElement>(
    _ name: String, _ sizes: CallSizes, _ attend: ScaledDotProductAttention, _ order: SequenceSharding.Order,
    _: Element.Type, _: Stored.Type, wire: KeyValueType? = nil, keysPerMessage: Int = 13,
    rowsPerPass: Int = .max
  ) -> ShardedCase {
    ShardedCase("prefill: \(name)") { communicator in
      let call = PackedCall<Element, Stored>(sizes, attend)
      let shardings = call.shardings(communicator.size, order)
      var sharded = ShardedAttention(attend, over: communicator, wire: wire)
      (sharded.keysPerMessage, sharded.rowsPerPass) = (keysPerMessage, rowsPerPass)
      let rank = communicator.rank
      func run() throws -> ShardedAttention<AnyCommunicator>.Result<Element> {
        try sharded.prefill(
          shardings.queries.rows(of: call.queries, rank: rank),
          shardings.keys.rows(of: call.keys, rank: rank),
          shardings.keys.rows(of: call.values, rank: rank), shardings.queries, keySharding: shardings.keys)
      }
      let result = try run()
      let alone =
        switch wire {
        case .int8?:
          try call.alone(QuantizedTensor(quantizing: call.keys), QuantizedTensor(quantizing: call.values))
        case .bfloat16?:
          try call.alone(call.keys.converted(to: BFloat16.self), call.values.converted(to: BFloat16.self))
        default: try call.alone()
        }
      if try run().output != result.output { return "other bits the second time" }
      let allowed = wire == .int8 ? quantizedTolerance : tolerance(Element.self)
      return try call.compare(
        result, alone, shardings.queries, rank, within: allowed, sums: partSumTolerance(Element.self, allowed)
      )
    }
  }

  private static func quantizedPrefill(_ sizes: CallSizes, _ attend: ScaledDotProductAttention) -> ShardedCase
  {
    ShardedCase("prefill: quantised keys") { communicator in
      let call = PackedCall<Float, Float>(sizes, attend)
      let shardings = call.shardings(communicator.size, .zigzag)
      let rank = communicator.rank
      let (keys, values) = (
        try QuantizedTensor(quantizing: call.keys), try QuantizedTensor(quantizing: call.values)
      )
      func mine(_ tensor: QuantizedTensor) throws -> QuantizedTensor {
        QuantizedTensor(
          integers: try shardings.keys.rows(of: tensor.integers, rank: rank),
          scales: try shardings.keys.rows(of: tensor.scales, rank: rank))
      }
      let result = try ShardedAttention(attend, over: communicator).prefill(
        shardings.queries.rows(of: call.queries, rank: rank), mine(keys), mine(values), shardings.queries,
        keySharding: shardings.keys)
      return try call.compare(
        result, call.alone(keys, values), shardings.queries, rank, within: quantizedTolerance)
    }
  }

  // MARK: - Heads

  private static var heads: [ShardedCase] {
    var cases: [ShardedCase] = []
    for var sizes in batches {
      (sizes.heads, sizes.keyHeads) = (24, 12)
      for rules in Rules.all(sizes, on: pool) {
        cases.append(
          byHeads("\(rules.name), \(sizes.lengths) over \(sizes.keyLengths)", sizes, rules.attend, Float.self)
        )
      }
    }
    var sizes = batches[2]
    (sizes.heads, sizes.keyHeads) = (24, 12)
    let causal = ScaledDotProductAttention(mask: .causal, on: pool)
    return cases + [
      byHeads("Double", sizes, causal, Double.self), byHeads("BFloat16", sizes, causal, BFloat16.self),
    ]
  }

  private static func byHeads<Element: AttentionElement>(
    _ name: String, _ sizes: CallSizes, _ attend: ScaledDotProductAttention, _: Element.Type
  ) -> ShardedCase {
    ShardedCase("by heads: \(name)", canSplit: { sizes.keyHeads % $0 == 0 }) { communicator in
      let call = PackedCall<Element, Element>(sizes, attend)
      let shardings = call.shardings(communicator.size, .zigzag)
      let rank = communicator.rank
      let result = try ShardedAttention(attend, over: communicator).prefillByHeads(
        shardings.queries.rows(of: call.queries, rank: rank), shardings.keys.rows(of: call.keys, rank: rank),
        shardings.keys.rows(of: call.values, rank: rank), shardings.queries, keySharding: shardings.keys)
      return try call.compare(result, call.alone(), shardings.queries, rank, within: 0)
    }
  }

  // MARK: - Tree

  private static var decodes: [ShardedCase] {
    var cases: [ShardedCase] = []
    for sizes in [
      CallSizes([1], keys: [300]), CallSizes([1, 3, 1], keys: [70, 5, 211]), CallSizes([5], keys: [40]),
    ] {
      for rules in Rules.all(sizes, on: pool) where !rules.isForOneSequence || sizes.lengths.count == 1 {
        for order in SequenceSharding.Order.allCases {
          cases.append(
            decode(
              "\(rules.name), \(sizes.lengths) over \(sizes.keyLengths), \(order)", sizes, rules.attend,
              order, Float.self))
        }
      }
    }
    let sizes = CallSizes([1, 3, 1], keys: [70, 5, 211])
    let causal = ScaledDotProductAttention(mask: .causal, on: pool)
    return cases + [
      decode("Double", sizes, causal, .blocks, Double.self),
      decode("BFloat16", sizes, causal, .zigzag, BFloat16.self),
      cachedDecode(.bfloat16, causal), cachedDecode(.int8, causal),
    ]
  }

  private static func decode<Element: AttentionElement>(
    _ name: String, _ sizes: CallSizes, _ attend: ScaledDotProductAttention, _ order: SequenceSharding.Order,
    _: Element.Type
  ) -> ShardedCase {
    ShardedCase("decode: \(name)") { communicator in
      let call = PackedCall<Element, Element>(sizes, attend)
      let result = try ShardedAttention(attend, over: communicator).decode(
        call.queries, lengths: call.lengths, call.parts(communicator, order), keyCounts: call.keyLengths)
      return try difference(
        (result.output, result.logSumExp), call.alone(), within: tolerance(Element.self))
    }
  }

  /// Pages of a pool on each rank.
  private static func cachedDecode(_ type: KeyValueType, _ attend: ScaledDotProductAttention) -> ShardedCase {
    ShardedCase("decode: a cache in \(type)") { communicator in
      let sizes = CallSizes([2], keys: [203])
      let call = PackedCall<Float, Float>(sizes, attend)
      func cached(_ rows: Range<Int>) throws -> KeyValues {
        let pool = try KeyValuePool(
          layers: 1, heads: sizes.keyHeads, depth: sizes.depth, width: sizes.width, keys: type, values: type,
          pageSize: 16, pages: 20)
        let step = try KeyValueStep([pool.makeSequence()], appending: [rows.count])
        try step.write(
          layer: 0, keys: call.keys.sliced(axis: 0, rows), values: call.values.sliced(axis: 0, rows))
        return try step.keyValues(layer: 0)
      }
      let parts = try SequenceSharding.blocks(203, ranks: communicator.size).pieces(of: communicator.rank).map
      {
        try cached($0).starting(at: $0.lowerBound)
      }
      let result = try ShardedAttention(attend, over: communicator).decode(
        call.queries, lengths: [2], parts, keyCounts: [203])
      let alone = try attend.withLogSumExp(.packed(call.queries, lengths: [2]), cached(0..<203))
      return difference(
        (result.output, result.logSumExp), alone, within: type == .int8 ? quantizedTolerance : 4e-5)
    }
  }

  // MARK: - Replicas

  private static var replicas: [ShardedCase] {
    var cases: [ShardedCase] = []
    for sizes in batches + [CallSizes([1, 1, 40, 3, 1, 90], keys: [64, 30, 40, 200, 1, 90])] {
      for rules in Rules.all(sizes, on: pool) {
        cases.append(
          ShardedCase("by sequences: \(rules.name), \(sizes.lengths) over \(sizes.keyLengths)") {
            communicator in
            let call = PackedCall<Float, Float>(sizes, rules.attend)
            let result = try ShardedAttention(rules.attend, over: communicator).attendBySequences(
              call.queries, lengths: call.lengths, call.keys, call.values, lengths: call.keyLengths)
            return try difference((result.output, result.logSumExp), call.alone(), within: 0)
          })
      }
    }
    return cases
  }
}

extension PackedCall {
  func shardings(_ ranks: Int, _ order: SequenceSharding.Order) -> (
    queries: BatchSharding, keys: BatchSharding
  ) {
    (
      BatchSharding(lengths: lengths, ranks: ranks, order),
      BatchSharding(lengths: keyLengths, ranks: ranks, order)
    )
  }

  /// This rank's keys for tree decode, a part for each piece that some sequence has.
  func parts(_ communicator: some Communicator, _ order: SequenceSharding.Order) throws -> [KeyValues] {
    let sharding = BatchSharding(lengths: keyLengths, ranks: communicator.size, order)
    let pieces = sharding.sequences.map { $0.pieces(of: communicator.rank) }
    let starts = keyLengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    return try (0..<(pieces.map(\.count).max() ?? 0)).map { index in
      var (rows, lengths, firsts): ([Range<Int>], [Int], [Int]) = ([], [], [])
      for (sequence, ranges) in pieces.enumerated() {
        let range = index < ranges.count ? ranges[index] : 0..<0
        rows.append(starts[sequence] + range.lowerBound..<starts[sequence] + range.upperBound)
        lengths.append(range.count)
        firsts.append(range.lowerBound)
      }
      let part = KeyValues(
        packedKeys: try Tensor.concatenate(rows.map { keys.sliced(axis: 0, $0) }, axis: 0),
        values: try Tensor.concatenate(rows.map { values.sliced(axis: 0, $0) }, axis: 0), lengths: lengths)
      return firsts.count == 1 ? part.starting(at: firsts[0]) : part.starting(at: firsts)
    }
  }

  func compare(
    _ result: ShardedAttention<AnyCommunicator>.Result<Element>,
    _ alone: (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>), _ sharding: BatchSharding,
    _ rank: Int, within tolerance: Double, sums: Double? = nil
  ) throws -> String? {
    difference(
      (result.output, result.logSumExp),
      (
        try alone.output.rows(sharding, rank, axis: 0), try alone.logSumExp.rows(sharding, rank, axis: 1)
      ), within: tolerance, sums: sums)
  }
}
