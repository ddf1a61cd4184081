import Tensors

/// The heads of a test problem.
package struct HeadCounts: Hashable, Sendable {
  package var query: Int
  /// How many of keys and values those of the queries share.
  package var keyValue: Int

  package init(query: Int, keyValue: Int) {
    self.query = query
    self.keyValue = keyValue
  }
}

/// The sizes of a test problem.
package struct ProblemShape: Hashable, Sendable, CustomStringConvertible {
  package var batch: Int
  package var heads: HeadCounts
  package var queries: Int
  package var keys: Int
  package var headDimension: Int
  package var valueDimension: Int

  /// One sequence of two heads, where nothing else is said.
  package init(
    batch: Int = 1, heads: HeadCounts = HeadCounts(query: 2, keyValue: 2), queries: Int, keys: Int,
    headDimension: Int, valueDimension: Int
  ) {
    self.batch = batch
    self.heads = heads
    self.queries = queries
    self.keys = keys
    self.headDimension = headDimension
    self.valueDimension = valueDimension
  }

  package var description: String {
    "B\(batch) Hq\(heads.query) Hkv\(heads.keyValue) Tq\(queries) Tk\(keys) D\(headDimension) Dv\(valueDimension)"
  }

  /// Odd sizes, tile edges and their neighbours, grouped heads, value widths of their own.
  package static let grid: [ProblemShape] = [
    ProblemShape(queries: 1, keys: 1, headDimension: 1, valueDimension: 1),
    ProblemShape(queries: 7, keys: 5, headDimension: 3, valueDimension: 2),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 33, keys: 65, headDimension: 16,
      valueDimension: 24),
    ProblemShape(
      batch: 3, heads: HeadCounts(query: 3, keyValue: 1), queries: 17, keys: 130, headDimension: 40,
      valueDimension: 8),
    ProblemShape(
      batch: 2, heads: HeadCounts(query: 6, keyValue: 2), queries: 1, keys: 257, headDimension: 64,
      valueDimension: 64),
    ProblemShape(
      batch: 1, heads: HeadCounts(query: 2, keyValue: 1), queries: 97, keys: 193, headDimension: 32,
      valueDimension: 33
    ),
    ProblemShape(queries: 31, keys: 9, headDimension: 8, valueDimension: 8),
  ]

  /// Longer than one tile in both directions, at the tile edges and one off.
  package static let large: [ProblemShape] = [
    ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 193, keys: 513, headDimension: 64, valueDimension: 64
    ),
    ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 192, keys: 512, headDimension: 17, valueDimension: 16
    ),
    ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 385, keys: 1025, headDimension: 33,
      valueDimension: 31),
    ProblemShape(
      heads: HeadCounts(query: 5, keyValue: 1), queries: 77, keys: 700, headDimension: 128, valueDimension: 20
    ),
    ProblemShape(
      heads: HeadCounts(query: 1, keyValue: 1), queries: 600, keys: 600, headDimension: 8, valueDimension: 8),
  ]
}

/// Queries, keys and values of one type.
package typealias AttentionTensors<E: TensorElement> = (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>)

extension ProblemShape {
  /// Unit-variance inputs, the same for every element type up to rounding.
  package func inputs<E: FloatingPointElement>(_: E.Type, seed: UInt64 = 1) -> AttentionTensors<E> {
    (
      .normal([batch, heads.query, queries, headDimension], seed: seed),
      .normal([batch, heads.keyValue, keys, headDimension], seed: seed + 1),
      .normal([batch, heads.keyValue, keys, valueDimension], seed: seed + 2)
    )
  }
}
