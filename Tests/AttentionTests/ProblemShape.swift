import Attention

/// The sizes of a test problem.
struct ProblemShape: Sendable, CustomStringConvertible {
  var batch = 1
  var queryHeads = 2
  var keyValueHeads = 2
  var queries: Int
  var keys: Int
  var headDimension: Int
  var valueDimension: Int

  var description: String {
    "B\(batch) Hq\(queryHeads) Hkv\(keyValueHeads) Tq\(queries) Tk\(keys) D\(headDimension) Dv\(valueDimension)"
  }

  /// Odd sizes, tile edges and their neighbours, grouped heads, value widths of their own.
  static let grid: [ProblemShape] = [
    ProblemShape(queries: 1, keys: 1, headDimension: 1, valueDimension: 1),
    ProblemShape(queries: 7, keys: 5, headDimension: 3, valueDimension: 2),
    ProblemShape(
      batch: 2, queryHeads: 4, keyValueHeads: 2, queries: 33, keys: 65, headDimension: 16, valueDimension: 24),
    ProblemShape(
      batch: 3, queryHeads: 3, keyValueHeads: 1, queries: 17, keys: 130, headDimension: 40, valueDimension: 8),
    ProblemShape(
      batch: 2, queryHeads: 6, keyValueHeads: 2, queries: 1, keys: 257, headDimension: 64, valueDimension: 64),
    ProblemShape(
      batch: 1, queryHeads: 2, keyValueHeads: 1, queries: 97, keys: 193, headDimension: 32, valueDimension: 33
    ),
    ProblemShape(queries: 31, keys: 9, headDimension: 8, valueDimension: 8),
  ]

  /// Longer than one tile in both directions, at the tile edges and one off.
  static let large: [ProblemShape] = [
    ProblemShape(
      queryHeads: 1, keyValueHeads: 1, queries: 193, keys: 513, headDimension: 64, valueDimension: 64),
    ProblemShape(
      queryHeads: 1, keyValueHeads: 1, queries: 192, keys: 512, headDimension: 17, valueDimension: 16),
    ProblemShape(
      queryHeads: 1, keyValueHeads: 1, queries: 385, keys: 1025, headDimension: 33, valueDimension: 31),
    ProblemShape(
      queryHeads: 5, keyValueHeads: 1, queries: 77, keys: 700, headDimension: 128, valueDimension: 20),
    ProblemShape(
      queryHeads: 1, keyValueHeads: 1, queries: 600, keys: 600, headDimension: 8, valueDimension: 8),
  ]

  /// Unit-variance inputs, the same for every element type up to rounding.
  func inputs<E: AttentionElement>(_: E.Type, seed: UInt64 = 1) -> (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>)
  {
    (
      .normal([batch, queryHeads, queries, headDimension], seed: seed),
      .normal([batch, keyValueHeads, keys, headDimension], seed: seed + 1),
      .normal([batch, keyValueHeads, keys, valueDimension], seed: seed + 2)
    )
  }
}
