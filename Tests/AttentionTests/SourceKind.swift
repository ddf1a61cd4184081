import Attention
import TestSupport

/// The ways to keep the same keys and values.
///
/// Whatever belongs to no sequence is NaN, and entries of page tables past a sequence's pages are numbers of no page: what is read
/// beside a sequence's rows shows.
indirect enum SourceKind: Sendable, CustomStringConvertible {
  /// A tensor as long as the longest sequence, with lengths unless all are equal.
  case tensors
  /// A tensor with more rows than any sequence.
  case slab
  case packed
  /// Pages of so many positions, in no order.
  case pages(Int)
  /// Parts that follow each other, each of so many positions, or all that are left.
  case joined([(kind: SourceKind, count: Int)])

  var description: String {
    switch self {
    case .tensors: "tensors"
    case .slab: "a slab"
    case .packed: "packed"
    case .pages(let size): "pages of \(size)"
    case .joined(let parts): "joined [\(parts.map { "\($0.count) of \($0.kind)" }.joined(separator: ", "))]"
    }
  }

  /// Those that are not joined.
  static let whole: [SourceKind] = [
    .tensors, .slab, .packed, .pages(1), .pages(5), .pages(16), .pages(64), .pages(2000),
  ]

  /// Parts of each kind, first and last; parts without a row; parts of parts.
  static let parts: [SourceKind] = [
    .joined([(.tensors, .max)]),
    .joined([(.tensors, 1), (.tensors, .max)]),
    .joined([(.slab, 130), (.tensors, 0), (.packed, .max)]),
    .joined([(.pages(16), 64), (.pages(5), .max)]),
    .joined([(.packed, 200), (.pages(64), .max)]),
    .joined([(.pages(1), 3), (.slab, 1100), (.pages(16), .max)]),
    .joined([
      (.joined([(.pages(5), 7), (.slab, 20)]), 27), (.joined([(.packed, 1), (.tensors, .max)]), .max),
    ]),
  ]

  static var all: [SourceKind] { whole + parts }

  /// Keys `[B, Hkv, Tk, D]` and values `[B, Hkv, Tk, Dv]` kept this way, of each sequence the first `lengths[b]`.
  func keyValues<K: AttentionElement, V: AttentionElement>(
    _ keys: Tensor<K>, _ values: Tensor<V>, lengths: [Int]
  ) throws -> KeyValues {
    let longest = lengths.max() ?? 0
    switch self {
    case .tensors:
      let (keys, values) = try (
        Rows(keys, lengths).slab(longest), Rows(values, lengths).slab(longest)
      )
      let areAlike = lengths.allSatisfy { $0 == longest }
      return areAlike
        ? KeyValues(keys: keys, values: values) : KeyValues(keys: keys, values: values, lengths: lengths)
    case .slab:
      return try KeyValues(
        keys: Rows(keys, lengths).slab(longest + 9), values: Rows(values, lengths).slab(longest + 9),
        lengths: lengths)
    case .packed:
      return try KeyValues(
        packedKeys: Rows(keys, lengths).packed(extra: 3), values: Rows(values, lengths).packed(extra: 3),
        lengths: lengths)
    case .pages(let size):
      let table = PageNumbers(lengths: lengths, pageSize: size)
      return try KeyValues(
        keyPages: Rows(keys, lengths).paged(table), valuePages: Rows(values, lengths).paged(table),
        pageTable: try table.tensor(), lengths: lengths)
    case .joined(let parts):
      var start = 0
      var joined: [KeyValues] = []
      for (kind, count) in parts {
        let rows = start..<min(keys.shape[2], start + min(count, keys.shape[2] - start))
        joined.append(
          try kind.keyValues(
            keys.sliced(axis: 2, rows), values.sliced(axis: 2, rows),
            lengths: lengths.map { min(max($0 - start, 0), rows.count) }))
        start = rows.upperBound
      }
      return KeyValues(joining: joined)
    }
  }
}

/// Rows `[B, H, T, D]`, of each sequence the first few, laid out anew between NaN.
private struct Rows<E: AttentionElement> {
  private let tensor: Tensor<E>
  private let lengths: [Int]

  init(_ tensor: Tensor<E>, _ lengths: [Int]) {
    self.tensor = tensor
    self.lengths = lengths
  }

  private func nothing(_ shape: Shape) -> Tensor<E> { Tensor(repeating: E(nearest: .nan), shape: shape) }

  private var heads: Int { tensor.shape[1] }
  private var width: Int { tensor.shape[3] }

  /// Calls `body` with each sequence's rows.
  private func forEach(_ body: (_ sequence: Int, _ rows: Tensor<E>) throws -> Void) rethrows {
    for (sequence, length) in lengths.enumerated() {
      try body(sequence, tensor.selected(axis: 0, sequence).sliced(axis: 1, 0..<length))
    }
  }

  /// `[B, H, count, D]`
  func slab(_ count: Int) throws -> Tensor<E> {
    var result = nothing([lengths.count, heads, count, width])
    try result.withMutableView { view in
      try forEach { sequence, rows in
        try view.selected(axis: 0, sequence).sliced(axis: 1, 0..<rows.shape[1]).assign(from: rows)
      }
    }
    return result
  }

  /// `[total + extra, H, D]`
  func packed(extra: Int) throws -> Tensor<E> {
    var result = nothing([lengths.reduce(extra, +), heads, width])
    try result.withMutableView { view in
      var start = 0
      try forEach { _, rows in
        let end = start + rows.shape[1]
        try view.sliced(axis: 0, start..<end).assign(from: rows.permuted(1, 0, 2))
        start = end
      }
    }
    return result
  }

  /// `[pages, pageSize, H, D]`
  func paged(_ table: PageNumbers) throws -> Tensor<E> {
    var result = nothing([table.pageCount, table.pageSize, heads, width])
    try result.withMutableView { view in
      try forEach { sequence, rows in
        for place in 0..<table.places(rows.shape[1]) {
          let part = place * table.pageSize..<min(rows.shape[1], (place + 1) * table.pageSize)
          try view.selected(axis: 0, table.number(sequence, place)).sliced(axis: 0, 0..<part.count)
            .assign(from: rows.sliced(axis: 1, part).permuted(1, 0, 2))
        }
      }
    }
    return result
  }
}

/// Which page holds which positions: a shuffle, with a page that is nobody's.
private struct PageNumbers {
  let pageSize: Int
  private let lengths: [Int]
  private let numbers: [Int]

  init(lengths: [Int], pageSize: Int) {
    self.lengths = lengths
    self.pageSize = pageSize
    let most = ((lengths.max() ?? 0) + pageSize - 1) / pageSize
    var generator = SplitMix(seed: UInt64(pageSize))
    numbers = (0..<lengths.count * most + 1).map { $0 }.shuffled(using: &generator)
  }

  var pageCount: Int { numbers.count }

  func places(_ length: Int) -> Int { (length + pageSize - 1) / pageSize }

  private var most: Int { places(lengths.max() ?? 0) }

  func number(_ sequence: Int, _ place: Int) -> Int { numbers[sequence * most + place] }

  /// `[B, pages]`; one place more than any sequence has.
  func tensor() throws -> Tensor<Int32> {
    let entries = lengths.enumerated().flatMap { sequence, length in
      (0...most).map { place -> Int32 in
        if place < places(length) { return Int32(number(sequence, place)) }
        return place.isMultiple(of: 2) ? -1 : .max
      }
    }
    return try Tensor(entries, shape: [lengths.count, most + 1])
  }
}
