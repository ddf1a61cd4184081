import Attention
import DistributedAttention
import Synchronization

/// A call that is planned, and then made: what its ranks send.
struct PlannedCall: Sendable, CustomStringConvertible {
  let description: String
  let call: DistributedCall

  init(_ description: String, _ call: DistributedCall) { (self.description, self.call) = (description, call) }

  /// What one rank sent in a way, as traffic tells and as messages that it began. Gatherings are none.
  func sent(
    _ way: DistributedPlan.Way, over communicator: LocalCommunicator
  ) throws -> (bytes: Int, messages: Int) {
    switch call.elements {
    case .float64: try sent(way, over: communicator, Double.self)
    case .bfloat16: try sent(way, over: communicator, BFloat16.self)
    default: try sent(way, over: communicator, Float.self)
    }
  }

  private func sent<Element: AttentionElement>(
    _ way: DistributedPlan.Way, over base: LocalCommunicator, _: Element.Type
  ) throws -> (bytes: Int, messages: Int) {
    let communicator = CountingCommunicator(base)
    let (rank, ranks) = (base.rank, base.size)
    var sharded = ShardedAttention(call.attention, over: communicator, wire: call.wire)
    (sharded.keysPerMessage, sharded.rowsPerPass) = (call.keysPerMessage, call.rowsPerPass)
    let sharding = BatchSharding(lengths: call.lengths, ranks: ranks, call.order)
    let keySharding = BatchSharding(lengths: call.keyLengths, ranks: ranks, call.keyOrder)
    let queries = Tensor<Element>.normal(
      [call.lengths.reduce(0, +), call.heads, call.depth], seed: 1)
    let keyRows = call.keyLengths.reduce(0, +)
    let traffic: Traffic
    switch way {
    case .decode:
      // Who has which keys changes nothing.
      let parts =
        rank == 0
        ? [
          KeyValues(
            packedKeys: try stored(call.keys, keyRows, call.depth),
            values: try stored(call.values, keyRows, call.width), lengths: call.keyLengths)
        ] : []
      traffic = try sharded.decode(
        queries, lengths: call.lengths, parts, keyCounts: call.keyLengths
      ).traffic
    case .prefill:
      let rows = keySharding.rowCount(of: rank)
      traffic = try sharded.prefill(
        sharding.rows(of: queries, rank: rank), stored(call.keys, rows, call.depth),
        stored(call.values, rows, call.width), sharding, keySharding: keySharding
      ).traffic
    case .prefillByHeads:
      func run<Stored: AttentionElement>(_: Stored.Type) throws -> Traffic {
        let rows = keySharding.rowCount(of: rank)
        return try sharded.prefillByHeads(
          sharding.rows(of: queries, rank: rank),
          Tensor<Stored>.normal([rows, call.keyHeads, call.depth], seed: 2),
          Tensor<Stored>.normal([rows, call.keyHeads, call.width], seed: 3), sharding,
          keySharding: keySharding
        ).traffic
      }
      switch call.keys {
      case .float64: traffic = try run(Double.self)
      case .bfloat16: traffic = try run(BFloat16.self)
      case .float32, .float16, .int8, .int4, .planes: traffic = try run(Float.self)
      }
    case .attendBySequences:
      traffic = try sharded.attendBySequences(
        queries, lengths: call.lengths, stored(call.keys, keyRows, call.depth),
        stored(call.values, keyRows, call.width), lengths: call.keyLengths
      ).traffic
    }
    return (traffic.sent, communicator.messages)
  }

  private func stored(
    _ storage: DistributedCall.Storage, _ rows: Int, _ width: Int
  ) throws -> StoredTensor {
    let shape: Shape = [rows, call.keyHeads, width]
    return switch storage {
    case .float64: Tensor<Double>.normal(shape, seed: 2).stored
    case .float32: Tensor<Float>.normal(shape, seed: 2).stored
    case .float16: Tensor<Float16>.normal(shape, seed: 2).stored
    case .bfloat16: Tensor<BFloat16>.normal(shape, seed: 2).stored
    case .int8, .int4, .planes:
      try QuantizedTensor(quantizing: Tensor<Float>.normal(shape, seed: 2)).stored
    }
  }
}

/// Counts what is sent over another communicator.
final class CountingCommunicator: Communicator {
  private let base: LocalCommunicator
  private let count = Atomic<Int>(0)

  init(_ base: LocalCommunicator) { self.base = base }

  var messages: Int { count.load(ordering: .relaxed) }
  var rank: Int { base.rank }
  var size: Int { base.size }

  func beginSend(
    _ bytes: UnsafeRawBufferPointer, to rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer {
    count.add(1, ordering: .relaxed)
    return try base.beginSend(bytes, to: rank, keeping: owner)
  }

  func beginReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer {
    try base.beginReceive(bytes, from: rank, keeping: owner)
  }

  func allGather(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
  ) throws(DistributedError) { try base.allGather(bytes, into: all, keeping: owner) }
}
