/// The running softmax of rows whose scores arrive a tile at a time: for each row the maximum so far and the sum of
/// `exp(score − maximum)`.
///
/// A tile that raises a row's maximum from `m` to `m′` makes everything summed before too large by `exp(m′ − m)`: `rescale`
/// holds the factor `exp(m − m′)` that the row's output so far has to be multiplied with before the tile's part is added.
/// The empty state, maximum −∞ and sum 0, is what a row that sees no key keeps.
///
/// Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".
struct OnlineSoftmax<Scalar: AttentionAccumulator> {
  let maximum: UnsafeMutablePointer<Scalar>
  let sum: UnsafeMutablePointer<Scalar>
  let rescale: UnsafeMutablePointer<Scalar>

  /// The state of the rows from `row` on.
  func from(_ row: Int) -> OnlineSoftmax {
    OnlineSoftmax(maximum: maximum + row, sum: sum + row, rescale: rescale + row)
  }

  /// Empties the state of one row.
  func reset(_ row: Int) {
    maximum[row] = -Scalar.infinity
    sum[row] = 0
  }

  /// Whether a row has seen nothing but scores of −∞: it has no weights to divide.
  func isEmpty(_ row: Int) -> Bool { sum[row] == 0 }

  /// The factor that turns a row's summed output into its average.
  func normalizer(_ row: Int) -> Scalar { 1 / sum[row] }

  /// The logarithm of a row's softmax denominator.
  func logSumExp(_ row: Int) -> Scalar { isEmpty(row) ? -.infinity : maximum[row] + Scalar.log(sum[row]) }
}
