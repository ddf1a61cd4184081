/// A change of scores that has no name yet: code of the caller's own on tiles of scores.
///
/// It sees scaled, capped and biased scores, and what it leaves there is hidden and weighted like any score; −∞ hides the key.
/// A tile is whatever part of the scores a kernel works on: every new score may depend on its old value and its place, and on nothing
/// else. It runs on many threads at once.
///
///     // Keys count less the older they are, by the root of their distance.
///     let mask = AttentionMask.causal & .modifier(ScoreModifier { score, place in
///       score - 0.1 * Double(abs(place.position - place.key)).squareRoot()
///     })
public struct ScoreModifier: Sendable {
  let float: @Sendable (ScoreBlock<Float>) -> Void
  let double: @Sendable (ScoreBlock<Double>) -> Void

  /// A change of whole tiles, at the speed of the loops that the caller writes.
  ///
  /// - Parameters:
  ///   - float: where scores are Float.
  ///   - double: the same where they are Double: for Double inputs, for ``SoftmaxPrecision/float64``, and for single rows that
  ///     Float cannot hold.
  public init(
    float: @escaping @Sendable (ScoreBlock<Float>) -> Void,
    double: @escaping @Sendable (ScoreBlock<Double>) -> Void
  ) {
    self.float = float
    self.double = double
  }

  /// A change of one score at a time: convenient, and a call for each (query, key) pair.
  ///
  /// - Parameter change: the new score, from the old one and its place.
  public init(_ change: @escaping @Sendable (_ score: Double, _ place: ScorePlace) -> Double) {
    self.init(
      float: { block in block.update { Float(change(Double($0), $1)) } },
      double: { block in block.update(change) })
  }
}

/// The place of one score.
public struct ScorePlace: Hashable, Sendable {
  /// The index in the batch, or among packed sequences.
  public let sequence: Int
  /// The query head.
  public let head: Int
  /// The query, counted in its sequence.
  public let query: Int
  /// The key that the query stands on; see ``QueryAlignment``.
  public let position: Int
  /// The position of the key, counted in its sequence.
  public let key: Int
}

/// A tile of scores that a ``ScoreModifier`` may change: some rows, each a query of a head, of one sequence by some consecutive keys.
///
/// Scores of keys that a row does not see stand in it too; what becomes of them does not matter.
public struct ScoreBlock<Scalar> {
  /// The positions of the columns' keys, counted in their sequence.
  public let keys: Range<Int>
  /// How many rows the tile has.
  public let rowCount: Int
  private let base: UnsafeMutablePointer<Scalar>
  private let rowStride: Int
  private let rows: RowBlock
  private let firstRow: Int

  init(
    _ base: UnsafeMutablePointer<Scalar>, rowStride: Int, keys: Range<Int>, rows: Range<Int>,
    of block: RowBlock
  ) {
    self.base = base
    self.rowStride = rowStride
    self.keys = keys
    self.rowCount = rows.count
    self.firstRow = rows.lowerBound
    self.rows = block
  }

  /// The scores of a row, one for each of ``keys``.
  ///
  /// - Precondition: `row` in `0..<rowCount`.
  public func scores(_ row: Int) -> UnsafeMutableBufferPointer<Scalar> {
    precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
    return UnsafeMutableBufferPointer(start: base + row * rowStride, count: keys.count)
  }

  /// The place of a row's first score; its other scores have the keys that follow.
  ///
  /// - Precondition: `row` in `0..<rowCount`.
  public func place(_ row: Int) -> ScorePlace {
    precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
    let index = rows.index(firstRow + row)
    return ScorePlace(
      sequence: index.sequence, head: index.head, query: index.query,
      position: index.query + rows.extent.offset, key: keys.lowerBound)
  }

  /// Replaces every score.
  public func update(_ change: (_ score: Scalar, _ place: ScorePlace) -> Scalar) {
    for row in 0..<rowCount {
      let first = place(row)
      let scores = scores(row)
      for column in 0..<scores.count {
        let place = ScorePlace(
          sequence: first.sequence, head: first.head, query: first.query, position: first.position,
          key: first.key + column)
        scores[column] = change(scores[column], place)
      }
    }
  }
}
