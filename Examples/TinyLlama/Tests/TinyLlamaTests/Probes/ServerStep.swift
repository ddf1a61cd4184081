import Attention

/// One step of a server: 49 sequences that decode a token each and one chunk of 256, their keys and values in pages of 16.
///
/// Rows of pages that no sequence uses are NaN: whoever reads one shows it in the output.
struct ServerStep {
  static let (queryHeads, heads, width, pageSize) = (8, 2, 64, 16)

  /// 1 for 49 sequences, 256 for the last.
  let queryLengths = Array(repeating: 1, count: 49) + [256]

  /// 100 to 1276 keys.
  let keyLengths = (0..<50).map { 100 + $0 * 37 % 50 * 24 }

  /// `[total, Hq, D]`
  let queries: Tensor<Float>

  /// The keys and values of each sequence on its own: `[1, Hkv, Tk, D]`.
  let keys, values: [Tensor<Float>]

  /// `[pages, pageSize, Hkv, D]`
  private(set) var keyPages, valuePages: Tensor<Float>

  /// `[50, pages of the longest]`, pages in no order; entries that are not used name pages that do not exist.
  private(set) var pageTable: Tensor<Int32>

  var pages: KeyValues {
    KeyValues(keyPages: keyPages, valuePages: valuePages, pageTable: pageTable, lengths: keyLengths)
  }

  init() throws {
    let (heads, width, size) = (Self.heads, Self.width, Self.pageSize)
    queries = .normal([queryLengths.reduce(0, +), Self.queryHeads, width], seed: 1)
    keys = keyLengths.enumerated().map { .normal([1, heads, $1, width], seed: UInt64(100 + $0)) }
    values = keyLengths.enumerated().map { .normal([1, heads, $1, width], seed: UInt64(200 + $0)) }
    let pageCounts = keyLengths.map { ($0 + size - 1) / size }
    let total = pageCounts.reduce(0, +)
    keyPages = Tensor(repeating: .nan, shape: [total, size, heads, width])
    valuePages = keyPages
    pageTable = Tensor(repeating: -1, shape: [50, pageCounts.max()!])
    var next = total
    for sequence in keyLengths.indices {
      for index in 0..<pageCounts[sequence] {
        next -= 1
        pageTable[sequence, index] = Int32(next)
        let rows = index * size..<min((index + 1) * size, keyLengths[sequence])
        try Self.write(keys[sequence].sliced(axis: 2, rows), to: next, of: &keyPages)
        try Self.write(values[sequence].sliced(axis: 2, rows), to: next, of: &valuePages)
      }
    }
  }

  /// Writes rows `[1, Hkv, n, D]` to the beginning of a page.
  private static func write(
    _ rows: Tensor<Float>, to page: Int, of pages: inout Tensor<Float>
  ) throws(AttentionError) {
    try pages.withMutableView { view throws(AttentionError) in
      try view.sliced(axis: 0, page..<page + 1).sliced(axis: 1, 0..<rows.shape[2]).permuted(0, 2, 1, 3)
        .assign(from: rows)
    }
  }

  /// The rows of `packed` `[total, H, W]` that are a sequence's, as a batch of one: `[1, H, n, W]`.
  func rows(of sequence: Int, in packed: Tensor<Float>) -> Tensor<Float> {
    let first = queryLengths[..<sequence].reduce(0, +)
    return packed.sliced(axis: 0, first..<first + queryLengths[sequence]).permuted(1, 0, 2).expanded(axis: 0)
  }
}
