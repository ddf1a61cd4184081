import Attention
import BenchmarkKit
import DistributedAttention
import Foundation

/// What the model predicts for the ranks of a communicator from rates measured on them, beside what the same calls take.
struct ProjectionCheck<Element: BenchElement>: Sendable {
  let call: ProjectedCall
  let rounds: Int

  /// Seconds of one round, of the slowest rank.
  private struct Round {
    var local = LocalWork<Element>.Times()
    var (exchange, gathering) = (0.0, 0.0)
    var ways: [DistributedPlan.Way: Double] = [:]
  }

  /// A table, the same on every rank.
  func lines(over communicator: some Communicator, on pool: WorkerPool) throws -> [String] {
    let ranks = communicator.size
    try checkMemory(ranks)
    var work = try LocalWork<Element>(call, ranks: ranks, on: pool)
    let link = LinkWork(communicator, bytes: min(4096, max(1, call.prompt / ranks)) * call.keyBytes)
    let calls = try RealCalls<Element>(call, communicator.rank, ranks)
    let sharded = ShardedAttention(ScaledDotProductAttention(mask: .causal, on: pool), over: communicator)
    // Which ways are possible does not depend on rates.
    let anything = ClusterModel(
      .init(operations: 1, keyBytes: 1, mergedNumbers: 1), .init(bytes: 1, latency: 1))
    let ways = try call.rows(ranks: ranks, anything).map(\.way)
    var all: [Round] = []
    for round in 0...rounds {
      var times = Round()
      // Rates before each call, and their mean: what else runs on the machine comes and goes within a round.
      let share = 1 / Double(ways.count)
      for way in ways {
        times.local.piece += share * (try communicator.slowest { try work.attendPieces() })
        times.local.merge += share * (try communicator.slowest { try work.merge() })
        times.local.decode += share * (try communicator.slowest { try work.decode() })
        times.exchange += share * (try communicator.slowest { try link.exchange() })
        times.gathering += share * (try communicator.slowest { try link.gather() })
        times.ways[way] = try calls.seconds(of: way, sharded)
      }
      // The first round warms up.
      if round > 0 { all.append(times) }
    }
    func median(_ time: (Round) -> Double) -> Double { Quantiles(all.map(time)).median }
    let rates = work.rates(
      .init(piece: median(\.local.piece), decode: median(\.local.decode), merge: median(\.local.merge)))
    let measuredLink = link.link(exchange: median(\.exchange), gathering: median(\.gathering))
    let rows = try call.rows(ranks: ranks, ClusterModel(rates, measuredLink)).map { row in
      let measured = median { $0.ways[row.way] ?? 0 }
      return [
        row.way.rawValue, String(format: "%.3f", row.time.seconds * 1e3),
        String(format: "%.3f", measured * 1e3), String(format: "%.2f", measured / row.time.seconds),
      ]
    }
    let table = TextTable(
      .table, ["way", "predicted, ms", "measured, ms", "measured / predicted"], words: [0], rows: rows)
    let head = "\(counted(ranks, "rank")) of \(counted(pool.threadCount, "thread")), all at once; "
    return [head + rates.words + (ranks > 1 ? "; " + measuredLink.words : "")] + table.heading
      + rows.map { table.line($0) }
  }

  /// Refuses what this rank's memory would not hold: tensors of the ring, of heads, of the tree and of the measurements.
  private func checkMemory(_ ranks: Int) throws {
    let needed =
      2 * call.bytes / Double(ranks) + LocalWork<Element>.memory(call, ranks: ranks)
    guard needed < AvailableMemory.bytes else {
      throw BenchmarkError(
        "a rank takes some \(short(needed / 1e9)) GB, more than this machine has left")
    }
  }
}

/// The calls that are predicted, with this rank's tensors.
private struct RealCalls<Element: BenchElement> {
  private let sharding: BatchSharding
  private let keyCount: Int
  private let (queries, keys, values, query):
    (Tensor<Element>, Tensor<Element>, Tensor<Element>, Tensor<Element>)
  private let parts: [KeyValues]

  init(_ call: ProjectedCall, _ rank: Int, _ ranks: Int) throws {
    func numbers(_ rows: Int, _ heads: Int) -> Tensor<Element> {
      LocalWork<Element>.numbers(rows, heads, call.width)
    }
    sharding = BatchSharding(lengths: [call.prompt], ranks: ranks)
    let rows = sharding.rowCount(of: rank)
    (queries, query) = (numbers(rows, call.heads), numbers(1, call.heads))
    (keys, values) = (numbers(rows, call.keyHeads), numbers(rows, call.keyHeads))
    keyCount = call.keys
    parts = SequenceSharding.blocks(call.keys, ranks: ranks).pieces(of: rank).map { piece in
      KeyValues(
        packedKeys: numbers(piece.count, call.keyHeads), values: numbers(piece.count, call.keyHeads),
        lengths: [piece.count]
      ).starting(at: piece.lowerBound)
    }
  }

  /// Of the slowest rank, for one call.
  func seconds<Over: Communicator>(
    of way: DistributedPlan.Way, _ sharded: ShardedAttention<Over>
  ) throws -> Double {
    let communicator = sharded.communicator
    switch way {
    case .prefill:
      return try communicator.slowest { _ = try sharded.prefill(queries, keys, values, sharding) }
    case .prefillByHeads:
      return try communicator.slowest { _ = try sharded.prefillByHeads(queries, keys, values, sharding) }
    case .decode:
      let calls = 20
      return try communicator.slowest {
        for _ in 0..<calls {
          _ = try sharded.decode(query, lengths: [1], parts, keyCounts: [keyCount])
        }
      } / Double(calls)
    case .attendBySequences: preconditionFailure("one sequence is not spread over ranks")
    }
  }
}
