import Attention
import BenchmarkKit
import DistributedAttention
import Foundation

/// A way of splitting attention over ranks.
enum DistributedWay: String, CaseIterable, Sendable {
  case ring, heads, tree, sequences
}

/// What each way takes on the ranks of a communicator, and on one of them alone.
struct DistributedStudy<Element: AttentionElement>: Sendable {
  let prompt: Int
  let keys: Int
  let heads: Int
  let keyHeads: Int
  let width: Int
  let rounds: Int
  let ways: [DistributedWay]
  let keysPerMessage: Int
  let rowsPerPass: Int
  /// Whether each rank is a process, whose memory is its own.
  let ranksAreProcesses: Bool
  /// A number of what is attended over.
  let rounded: @Sendable (Float) -> Element

  /// A table, the same on every rank.
  func lines(over communicator: some Communicator, on pool: WorkerPool) throws -> [String] {
    let attend = ScaledDotProductAttention(mask: .causal, on: pool)
    let header = [
      "way", "ranks", "threads", "time, ms", "alone, ms", "efficiency", "sent, MB", "messages, ms",
      "waited, ms", "for others, ms",
      "hidden", "memory, MB", "alone, MB", "of its share",
    ]
    var rows: [[String]] = []
    var left: [String] = []
    for way in ways {
      if way == .heads && keyHeads % communicator.size != 0 {
        left.append(
          "heads: left out, since \(communicator.size) ranks do not divide \(keyHeads) key/value heads")
        continue
      }
      var sharded = ShardedAttention(attend, over: communicator)
      (sharded.keysPerMessage, sharded.rowsPerPass) = (keysPerMessage, rowsPerPass)
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

  private func numbers(_ rows: Int, _ heads: Int, seed: Int) -> Tensor<Element> {
    // Cheap to make, and no kernel is faster or slower for it: exponents stay in the range of scores that are met.
    Tensor(unsafeUninitializedShape: [rows, heads, width]) { buffer in
      var state = UInt32(truncatingIfNeeded: seed) &* 2_654_435_761 | 1
      for index in buffer.indices {
        state = state &* 1_664_525 &+ 1_013_904_223
        buffer.initializeElement(at: index, to: rounded(Float(state >> 8) * 0x1p-23 - 1))
      }
    }
  }

  private func memory() throws -> ProcessMemory? { ranksAreProcesses ? try ProcessMemory() : nil }

  // MARK: - Ways

  private func ring<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let memory = try memory()
    let sharding = BatchSharding(lengths: [prompt], ranks: sharded.communicator.size)
    let rows = sharding.rowCount(of: sharded.communicator.rank)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, memory, { try sharded.prefill(q, k, v, sharding).traffic },
      messages: { _ = try sharded.prefillTraffic(q, k, v, sharding) }, alone: prefillAlone(sharded))
  }

  private func byHeads<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let memory = try memory()
    let sharding = BatchSharding(lengths: [prompt], ranks: sharded.communicator.size)
    let rows = sharding.rowCount(of: sharded.communicator.rank)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, memory, { try sharded.prefillByHeads(q, k, v, sharding).traffic }, messages: nil,
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
    let memory = try memory()
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
      sharded, memory, { try sharded.decode(q, lengths: [1], parts, keyCounts: [keys]).traffic },
      messages: nil,
      alone: {
        let whole = KeyValues(
          packedKeys: numbers(keys, keyHeads, seed: 2), values: numbers(keys, keyHeads, seed: 3),
          lengths: [keys])
        return { _ = try sharded.attention(.packed(q, lengths: [1]), whole) }
      }, calls: 20)
  }

  private func bySequences<Over: Communicator>(_ sharded: ShardedAttention<Over>) throws -> DistributedRow {
    let memory = try memory()
    let lengths = (0..<16).map { prompt / 16 / (1 + $0 % 4) }
    let rows = lengths.reduce(0, +)
    let (q, k, v) = (
      numbers(rows, heads, seed: 1), numbers(rows, keyHeads, seed: 2), numbers(rows, keyHeads, seed: 3)
    )
    return try measure(
      sharded, memory, { try sharded.attendBySequences(q, lengths: lengths, k, v).traffic }, messages: nil,
      alone: {
        let keyValues = KeyValues(packedKeys: k, values: v, lengths: lengths)
        return { _ = try sharded.attention(.packed(q, lengths: lengths), keyValues) }
      })
  }

  // MARK: - Rounds

  /// Rounds of a way on all ranks, of its messages, and of the same on rank 0 alone, in turns. The first one warms up, and says how much memory
  /// is needed.
  ///
  /// - Parameters:
  ///   - memory: from before this rank's inputs were made.
  ///   - messages: the messages of the way with nothing computed; nil where nothing is computed meanwhile anyway.
  ///   - alone: makes the inputs of the whole, and gives what computes it.
  ///   - calls: how many a round measures.
  private func measure<Over: Communicator>(
    _ sharded: ShardedAttention<Over>, _ memory: ProcessMemory?, _ body: () throws -> Traffic,
    messages: (() throws -> Void)?, alone: () throws -> () throws -> Void, calls: Int = 1
  ) throws -> DistributedRow {
    let communicator = sharded.communicator
    let peak = try communicator.largest(Double(try memory?.peak { _ = try body() } ?? 0))
    try messages?()
    let wholeMemory = try self.memory()
    let whole = communicator.rank == 0 ? try alone() : {}
    let wholePeak = try communicator.largest(Double(try wholeMemory?.peak(whole) ?? 0))
    var (together, onOne, exchanges): ([Double], [Double], [Double]) = ([], [], [])
    var (waits, waitsToSend): ([Double], [Double]) = ([], [])
    var traffic = Traffic()
    for _ in 0..<rounds {
      together.append(
        try slowest(communicator) { for _ in 0..<calls { traffic = try body() } } / Double(calls))
      waits.append(try communicator.largest(traffic.waited / .seconds(1)))
      waitsToSend.append(try communicator.largest(traffic.waitedToSend / .seconds(1)))
      if let messages { exchanges.append(try slowest(communicator, messages)) }
      onOne.append(try slowest(communicator) { for _ in 0..<calls { try whole() } } / Double(calls))
    }
    func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
    return DistributedRow(
      together: median(together), alone: median(onOne), waited: median(waits),
      waitedToSend: median(waitsToSend),
      messages: messages == nil ? nil : median(exchanges),
      sent: try communicator.largest(Double(traffic.sent)),
      memory: memory == nil ? nil : (peak, wholePeak))
  }

  /// Seconds of the rank that took longest, from a moment at which all had come.
  private func slowest(_ communicator: some Communicator, _ body: () throws -> Void) throws -> Double {
    _ = try communicator.largest(0)
    let start = Stopwatch.seconds()
    try body()
    return try communicator.largest(Stopwatch.seconds() - start)
  }
}

extension Communicator {
  /// The largest number that a rank says, once all have said one.
  fileprivate func largest(_ number: Double) throws -> Double {
    try allGather([number]).max() ?? number
  }
}
