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

  /// The factor that turns a row's summed output into its average: `1 / (sum + exp(sink − maximum))`.
  ///
  /// - Parameter sink: a score that takes its share and has no value; −∞ for none.
  func normalizer(_ row: Int, sink: Scalar) -> Scalar {
    Self.normalizer(maximum: maximum[row], sum: sum[row], sink: sink)
  }

  /// The same for a row whose state lies elsewhere.
  static func normalizer(maximum: Scalar, sum: Scalar, sink: Scalar) -> Scalar {
    if sink == -.infinity { return 1 / sum }
    // Where the sink is the largest, everything is scaled to it: exp(sink − maximum) might overflow.
    return sink > maximum
      ? Scalar.exp(maximum - sink) / (sum * Scalar.exp(maximum - sink) + 1)
      : 1 / (sum + Scalar.exp(sink - maximum))
  }

  /// The logarithm of a row's softmax denominator.
  func logSumExp(_ row: Int) -> Scalar { isEmpty(row) ? -.infinity : maximum[row] + Scalar.log(sum[row]) }
}

extension OnlineSoftmax {
  /// What two results over disjoint keys weigh in the result over all of them, and its log-sum-exp.
  ///
  /// Empty results (log-sum-exp −∞) weigh 0, both of them where both are empty. A log-sum-exp of +∞ takes all the weight; two of them
  /// leave it undefined, as two scores of +∞ do.
  static func merge(
    _ first: Scalar, _ second: Scalar
  ) -> (logSumExp: Scalar, first: Scalar, second: Scalar) {
    // First of all: a maximum does not say whether a NaN went into it.
    if first.isNaN || second.isNaN { return (.nan, .nan, .nan) }
    let maximum = max(first, second)
    if maximum == -.infinity { return (-.infinity, 0, 0) }
    if maximum == .infinity && first != second {
      return (.infinity, first == .infinity ? 1 : 0, second == .infinity ? 1 : 0)
    }
    let (a, b) = (Scalar.exp(first - maximum), Scalar.exp(second - maximum))
    return (maximum + Scalar.log(a + b), a / (a + b), b / (a + b))
  }
}
