import Attention
import TestSupport

/// Caches beside plain arrays: what every sequence must hold, and what every view must go on seeing.
///
/// Each token's rows follow from the tokens before it, as a model's do; so sequences that share a prefix hold the same rows.
final class CacheModel {
  static let shape = (layers: 2, heads: 2, depth: 4, width: 3)

  final class Entry {
    let sequence: KeyValueSequence
    var stamps: [UInt64] = []
    var tokens: [Int]? = []
    var ring: Ring?

    init(_ sequence: KeyValueSequence) { self.sequence = sequence }
  }

  struct Ring {
    let window: Int
    let kept: Int
    let longestAppend: Int
    /// The position after the last one that any step claimed.
    var claimed = 0

    /// Slots that positions take in turn.
    func turning(pageSize: Int) -> Int {
      (kept + window + longestAppend + pageSize - 1) / pageSize * pageSize - kept
    }
  }

  /// A view, and the rows that it must show: of each sequence, a stamp and a position a row.
  struct Held {
    let view: CacheView
    let rows: [[(stamp: UInt64, position: Int)]]
  }

  let pool: KeyValuePool
  /// Nobody else uses the pool: free pages can be counted.
  let isAlone: Bool
  var random: SplitMix
  var entries: [Entry] = []
  var held: [Held] = []
  var failure: String?
  var counts: [String: Int] = [:]
  private var unknown = 1 << 40

  init(_ pool: KeyValuePool, seed: UInt64, isAlone: Bool) {
    self.pool = pool
    self.isAlone = isAlone
    random = SplitMix(seed: seed)
  }

  func fail(_ reason: String) { if failure == nil { failure = reason } }
  func expect(_ holds: Bool, _ reason: @autoclosure () -> String) { if !holds { fail(reason()) } }

  /// A token that no other sequence has.
  func unknownToken() -> Int {
    unknown += 1
    return unknown
  }
}

// MARK: - Rows

extension CacheModel {
  static func next(_ stamp: UInt64, _ token: Int) -> UInt64 {
    var mixed = (stamp ^ UInt64(bitPattern: Int64(token))) &* 0x9e37_79b9_7f4a_7c15
    mixed ^= mixed >> 31
    return mixed &* 0xbf58_476d_1ce4_e5b9
  }

  /// An integer that every storage type of floats holds.
  static func number(_ stamp: UInt64, _ place: Int) -> Float {
    let mixed = (stamp &+ UInt64(place)) &* 0x94d0_49bb_1331_11eb
    return Float(Int(mixed >> 56) - 128)
  }

  /// `[total, Hkv, columns]` of a layer.
  static func rows(_ stamps: [UInt64], layer: Int, columns: Int, salt: Int) -> Tensor<Float> {
    Tensor(unsafeUninitializedShape: [stamps.count, shape.heads, columns]) { buffer in
      var index = 0
      for stamp in stamps {
        for head in 0..<shape.heads {
          for column in 0..<columns {
            buffer[index] = number(stamp, ((salt * 8 + layer) * 8 + head) * 8 + column)
            index += 1
          }
        }
      }
    }
  }

  static func write(_ step: KeyValueStep, layer: Int, _ stamps: [UInt64]) throws(AttentionError) {
    try step.write(
      layer: layer, keys: rows(stamps, layer: layer, columns: shape.depth, salt: 1),
      values: rows(stamps, layer: layer, columns: shape.width, salt: 2))
  }

  /// What a view shows must be what it has to.
  func check(_ held: Held, layers: Range<Int> = 0..<shape.layers) {
    for (sequence, expected) in held.rows.enumerated() {
      guard held.view.rowCount(sequence) == expected.count else {
        return fail("\(held.view.rowCount(sequence)) rows, expected \(expected.count)")
      }
      for (row, (_, position)) in expected.enumerated()
      where held.view.position(sequence: sequence, row: row) != position {
        return fail(
          "row \(row) is position \(held.view.position(sequence: sequence, row: row)), expected \(position)")
      }
      for layer in layers {
        let found = held.view.floats(layer: layer, sequence: sequence)
        let stamps = expected.map(\.stamp)
        let keys = Self.rows(stamps, layer: layer, columns: Self.shape.depth, salt: 1).permuted(1, 0, 2)
        let values = Self.rows(stamps, layer: layer, columns: Self.shape.width, salt: 2).permuted(1, 0, 2)
        if found.keys != keys || found.values != values {
          return fail(
            "other rows than were written, sequence \(sequence), layer \(layer), \(stamps.count) rows")
        }
      }
    }
  }

  /// The rows that a view shows of an entry between two counts.
  static func visible(
    _ entry: Entry, _ stamps: [UInt64], from before: Int
  ) -> [(stamp: UInt64, position: Int)] {
    let count = stamps.count
    var positions = Array(0..<count)
    if let ring = entry.ring {
      positions = Array(0..<min(ring.kept, count))
      positions += max(ring.kept, before - ring.window)..<max(max(ring.kept, before - ring.window), count)
    }
    return positions.map { (stamps[$0], $0) }
  }

  func view(of entry: Entry) -> Held {
    Held(
      view: entry.sequence.view, rows: [Self.visible(entry, entry.stamps, from: entry.stamps.count)])
  }
}
