import Attention
import BenchmarkKit

/// What a rank does by itself in a prefill or a decode, in pieces that can be timed: attention over one message of keys, merging its result, and
/// decode over a rank's keys.
struct LocalWork<Element: BenchElement> {
  /// Seconds of each piece of work.
  struct Times {
    var (piece, decode, merge) = (0.0, 0.0, 0.0)
  }

  private let call: ProjectedCall
  private let pool: WorkerPool
  /// Rows and keys of a piece: those of a ring's.
  private let (rows, pieceKeys): (Int, Int)
  private let decodedKeys: Int
  private let query: Tensor<Element>
  private let queries: Tensor<Element>
  private let pieceRows: KeyValues
  private let decodedRows: KeyValues
  private var partial: PartialAttention<Element>
  private var running: RunningAttention<Element>
  private let runningRows: Int

  /// Work like that of one of so many ranks.
  init(_ call: ProjectedCall, ranks: Int, on pool: WorkerPool) throws(AttentionError) {
    (self.call, self.pool) = (call, pool)
    // A rank's part of the prompt, or half of it: zigzag deals out two.
    let piece = max(1, ranks == 1 ? call.prompt : call.prompt / (2 * ranks))
    (rows, pieceKeys) = (min(1024, piece), min(4096, piece))
    decodedKeys = min(max(1, call.keys / ranks), 131_072)
    query = Self.numbers(1, call.heads, call.width)
    queries = Self.numbers(rows, call.heads, call.width)
    func keyValues(_ count: Int) -> KeyValues {
      KeyValues(
        packedKeys: Self.numbers(count, call.keyHeads, call.width),
        values: Self.numbers(count, call.keyHeads, call.width), lengths: [count])
    }
    (pieceRows, decodedRows) = (keyValues(pieceKeys), keyValues(decodedKeys))
    partial = try PartialAttention(rows: rows, heads: call.heads, width: call.width)
    // Merges go through the outputs of a prompt, which no cache holds.
    runningRows = rows * min(16, max(1, call.prompt / ranks / rows))
    running = try RunningAttention(rows: runningRows, heads: call.heads, width: call.width)
    running.begin(runningRows)
  }

  /// Cheap to make, and no kernel is faster or slower for it: exponents stay in the range of scores that are met.
  static func numbers(_ rows: Int, _ heads: Int, _ width: Int) -> Tensor<Element> {
    Tensor<Float>(unsafeUninitializedShape: [rows, heads, width]) { buffer in
      var state: UInt32 = 2_654_435_761
      for index in buffer.indices {
        state = state &* 1_664_525 &+ 1_013_904_223
        buffer.initializeElement(at: index, to: Float(state >> 8) * 0x1p-23 - 1)
      }
    }.converted(to: Element.self)
  }

  // MARK: - Work

  /// Enough for a rank that shares its CPU to get its part of it: tenths of a second.
  private static var pieces: Int { 4 }
  private static var decodes: Int { 20 }
  private static var passes: Int { 2 }

  /// Attention of the rows of a piece over its keys, all of which they see.
  mutating func attendPieces() throws(AttentionError) {
    let attend = ScaledDotProductAttention(mask: .causal(.offset(pieceKeys)), on: pool)
    for _ in 0..<Self.pieces {
      _ = try partial.attend(attend, queries, pieceRows)
    }
  }

  /// One query over the keys of a rank.
  func decode() throws(AttentionError) {
    let attend = ScaledDotProductAttention(mask: .causal(.offset(decodedKeys)), on: pool)
    for _ in 0..<Self.decodes {
      _ = try attend.withLogSumExp(.packed(query, lengths: [1]), decodedRows)
    }
  }

  /// The last piece's result, merged into all rows of the rank.
  mutating func merge() throws(AttentionError) {
    let (output, sums) = try partial.results(rows)
    for _ in 0..<Self.passes {
      for first in stride(from: 0, to: runningRows, by: rows) {
        running.add(output, sums, at: first, on: pool)
      }
    }
  }

  /// Rates of a rank that takes so long.
  func rates(_ times: Times) -> ClusterModel.Rates {
    let pairs = Double(Self.pieces * rows) * Double(pieceKeys * call.heads)
    return ClusterModel.Rates(
      operations: pairs * call.operationsPerPair / times.piece,
      keyBytes: Double(Self.decodes * decodedKeys) * Double(call.keyBytes) / times.decode,
      mergedNumbers: Double(Self.passes * runningRows) * Double(call.heads * call.width) / times.merge)
  }

  /// Bytes of these tensors, at most.
  static func memory(_ call: ProjectedCall, ranks: Int) -> Double {
    let keys = Double(min(131_072, call.keys / ranks + 1) + 4096) * Double(call.keyBytes)
    return keys + 17 * 1024 * Double(call.heads) * Double(call.width) * 8
  }
}

extension LocalWork {
  /// What this process does in a second with nobody beside it: medians of rounds.
  static func ratesAlone(_ call: ProjectedCall, rounds: Int, on pool: WorkerPool) throws -> ClusterModel.Rates
  {
    var work = try LocalWork(call, ranks: 1, on: pool)
    var (pieces, decodes, merges): ([Double], [Double], [Double]) = ([], [], [])
    for round in 0...rounds {
      let piece = try Stopwatch.time { try work.attendPieces() }
      let decode = try Stopwatch.time { try work.decode() }
      let merge = try Stopwatch.time { try work.merge() }
      // The first round warms up.
      if round == 0 { continue }
      pieces.append(piece)
      decodes.append(decode)
      merges.append(merge)
    }
    return work.rates(
      Times(
        piece: Quantiles(pieces).median, decode: Quantiles(decodes).median, merge: Quantiles(merges).median))
  }
}

extension Stopwatch {
  fileprivate static func time(_ body: () throws -> Void) rethrows -> Double {
    let start = seconds()
    try body()
    return seconds() - start
  }
}
