import Attention
import BenchmarkKit
import DistributedAttention
import Foundation

/// A way of splitting attention over ranks.
enum DistributedWay: String, CaseIterable, Sendable {
  case ring, heads, tree, sequences
}

/// What each way takes on the ranks of a communicator, and on one of them alone.
struct DistributedStudy: Sendable {
  let prompt: Int
  let keys: Int
  let heads: Int
  let keyHeads: Int
  let width: Int
  let rounds: Int
  let ways: [DistributedWay]

  /// A table, the same on every rank.
  func lines(over communicator: some Communicator, on pool: WorkerPool) throws -> [String] {
    let attend = ScaledDotProductAttention(mask: .causal, on: pool)
    let header = [
      "way", "ranks", "threads", "time, ms", "alone, ms", "efficiency", "sent, MB", "waited, ms", "hidden",
    ]
    var rows: [[String]] = []
    var left: [String] = []
    for way in ways {
      if way == .heads && keyHeads % communicator.size != 0 {
        left.append(
          "heads: left out, since \(communicator.size) ranks do not divide \(keyHeads) key/value heads")
        continue
      }
      let sharded = ShardedAttention(attend, over: communicator)
      let row =
        switch way {
        case .ring: try ring(sharded)
        case .heads: try byHeads(sharded)
        case .tree: try tree(sharded)
        case .sequences: try bySequences(sharded)
        }
      rows.append(
        [way.rawValue, "\(communicator.size)", "\(pool.threadCount)"] + row.cells(ranks: communicator.size))
    }
    let table = TextTable(.table, header, words: [0], rows: rows)
    return table.heading + rows.map { table.line($0) } + left
  }

  private func numbers(_ rows: Int, _ heads: Int, seed: Int) -> Tensor<BFloat16> {
    // Cheap to make, and no kernel is faster or slower for it: exponents stay in the range of scores that are met.
    Tensor(unsafeUninitializedShape: [rows, heads, width]) { buffer in
      var state = UInt32(truncatingIfNeeded: seed) &* 2_654_435_761 | 1
      for index in buffer.indices {
        state = state &* 1_664_525 &+ 1_013_904_223
        buffer.initializeElement(at: index, to: BFloat16(Float(state >> 8) * 0x1p-23 - 1))
      }
    }
  }

  // MARK: - Ways

  private func ring<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let sharding = BatchSharding(lengths: [prompt], ranks: sharded.communicator.size)
    let rows = sharding.rowCount(of: sharded.communicator.rank)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, { try sharded.prefill(q, k, v, sharding).traffic },
      messages: { _ = try sharded.prefillTraffic(q, k, v, sharding) }, alone: prefillAlone(sharded))
  }

  private func byHeads<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let sharding = BatchSharding(lengths: [prompt], ranks: sharded.communicator.size)
    let rows = sharding.rowCount(of: sharded.communicator.rank)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, { try sharded.prefillByHeads(q, k, v, sharding).traffic }, messages: nil,
      alone: prefillAlone(sharded))
  }

  private func prefillAlone<Over: Communicator>(_ sharded: ShardedAttention<Over>) -> () throws -> () throws
    -> Void
  {
    {
      let (q, k, v) = (
        numbers(prompt, heads, seed: 1), numbers(prompt, keyHeads, seed: 2),
        numbers(prompt, keyHeads, seed: 3)
      )
      let keyValues = KeyValues(packedKeys: k, values: v, lengths: [prompt])
      return { _ = try sharded.attention(.packed(q, lengths: [prompt]), keyValues) }
    }
  }

  private func tree<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let mine = SequenceSharding.blocks(keys, ranks: sharded.communicator.size).pieces(
      of: sharded.communicator.rank)
    let q = numbers(1, heads, seed: 1)
    let parts = mine.map { piece in
      KeyValues(
        packedKeys: numbers(piece.count, keyHeads, seed: 2), values: numbers(piece.count, keyHeads, seed: 3),
        lengths: [piece.count]
      ).starting(at: piece.lowerBound)
    }
    return try measure(
      sharded, { try sharded.decode(q, lengths: [1], parts, keyCounts: [keys]).traffic }, messages: nil,
      alone: {
        let whole = KeyValues(
          packedKeys: numbers(keys, keyHeads, seed: 2), values: numbers(keys, keyHeads, seed: 3),
          lengths: [keys])
        return { _ = try sharded.attention(.packed(q, lengths: [1]), whole) }
      }, calls: 20)
  }

  private func bySequences<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let lengths = (0..<16).map { prompt / 16 / (1 + $0 % 4) }
    let rows = lengths.reduce(0, +)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, { try sharded.attendBySequences(q, lengths: lengths, k, v).traffic }, messages: nil,
      alone: {
        let keyValues = KeyValues(packedKeys: k, values: v, lengths: lengths)
        return { _ = try sharded.attention(.packed(q, lengths: lengths), keyValues) }
      })
  }

  // MARK: - Rounds

  /// Rounds of a way on all ranks, of its messages, and of the same on rank 0 alone, in turns.
  ///
  /// - Parameters:
  ///   - messages: the messages of the way with nothing computed; nil where nothing is computed meanwhile anyway.
  ///   - alone: makes the inputs of the whole, and gives what computes it.
  ///   - calls: how many a round measures.
  private func measure<Over: Communicator>(
    _ sharded: ShardedAttention<Over>, _ body: () throws -> Traffic, messages: (() throws -> Void)?,
    alone: () throws -> () throws -> Void, calls: Int = 1
  ) throws -> DistributedRow {
    let communicator = sharded.communicator
    let whole = communicator.rank == 0 ? try alone() : {}
    var (together, onOne, exchanges): ([Double], [Double], [Double]) = ([], [], [])
    var waits: [Double] = []
    var traffic = Traffic()
    for round in 0...rounds {
      let time = try slowest(communicator) { for _ in 0..<calls { traffic = try body() } }
      let exchange = try messages.map { try slowest(communicator, $0) } ?? 0
      let one = try slowest(communicator) { for _ in 0..<calls { try whole() } }
      let waited = try communicator.largest(
        Double(traffic.waited.components.attoseconds) / 1e18 + Double(traffic.waited.components.seconds))
      // The first round warms up.
      if round == 0 { continue }
      together.append(time / Double(calls))
      exchanges.append(exchange)
      onOne.append(one / Double(calls))
      waits.append(waited)
    }
    func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
    return DistributedRow(
      together: median(together), alone: median(onOne), waited: median(waits),
      messages: messages == nil ? nil : median(exchanges),
      sent: try communicator.largest(Double(traffic.sent)))
  }

  /// Seconds of the rank that took longest, from a moment at which all had come.
  private func slowest(_ communicator: some Communicator, _ body: () throws -> Void) throws -> Double {
    _ = try communicator.largest(0)
    let start = Stopwatch.seconds()
    try body()
    return try communicator.largest(Stopwatch.seconds() - start)
  }
}

/// What was measured of a way, in seconds and bytes.
struct DistributedRow {
  let together: Double
  let alone: Double
  let waited: Double
  let messages: Double?
  let sent: Double

  func cells(ranks: Int) -> [String] {
    let hidden = messages.map { $0 > 0 ? max(0, 1 - waited / $0) : 1 }
    return [
      String(format: "%.2f", together * 1e3), String(format: "%.2f", alone * 1e3),
      String(format: "%.0f %%", 100 * alone / together / Double(ranks)), String(format: "%.3f", sent / 1e6),
      String(format: "%.2f", waited * 1e3), hidden.map { String(format: "%.0f %%", 100 * $0) } ?? "-",
    ]
  }
}

extension Communicator {
  /// The largest number that a rank says, once all have said one.
  fileprivate func largest(_ number: Double) throws -> Double {
    try allGather([number]).max() ?? number
  }
}
