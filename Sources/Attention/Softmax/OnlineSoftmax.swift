#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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
      ? Scalar.exponential(maximum - sink) / (sum * Scalar.exponential(maximum - sink) + 1)
      : 1 / (sum + Scalar.exponential(sink - maximum))
  }

  /// The logarithm of a row's softmax denominator.
  func logSumExp(_ row: Int) -> Scalar {
    isEmpty(row) ? -.infinity : maximum[row] + Scalar.logarithm(sum[row])
  }
}

extension AttentionAccumulator {
  /// `e^x`, computed in Double and rounded once.
  static func exponential(_ x: Self) -> Self { Self(exp(Double(x))) }

  /// `ln x`, likewise.
  static func logarithm(_ x: Self) -> Self { Self(log(Double(x))) }
}
