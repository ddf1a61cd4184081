/// Running softmaxes over disjoint keys, merged: the one place that says how.
///
///     m = max mᵢ     sum = Σ sumᵢ · e^(mᵢ − m)     output = Σ outputᵢ · e^(mᵢ − m)
///
/// The parts of decode, with the maximum and the sum that each has come to, and finished results, whose maximum is their log-sum-exp and
/// whose sum is 1, merge alike. Parts are taken in index order. A part that saw nothing (maximum −∞, sum 0) leaves no trace; NaN in one
/// shows in the whole; a maximum of +∞ takes all the weight, and several leave the row undefined, as several scores of +∞ do.
struct SoftmaxMerge<Scalar: AttentionAccumulator> {
  let maximum: Scalar
  private(set) var sum: Scalar = 0

  /// - Parameter state: the maximum and the sum of a part.
  init(parts: Int, _ state: (Int) -> (maximum: Scalar, sum: Scalar)) {
    var largest = -Scalar.infinity
    var infinities = 0
    var hasNaN = false
    for part in 0..<parts {
      let maximum = state(part).maximum
      largest = max(largest, maximum)
      if maximum == .infinity { infinities += 1 }
      if maximum.isNaN { hasNaN = true }
    }
    maximum = hasNaN || infinities > 1 ? .nan : largest
    for part in 0..<parts {
      let (maximum, sum) = state(part)
      if let factor = factor(maximum, sum) { self.sum += sum * factor }
    }
  }

  /// What a part's output and sum are multiplied with; nil for one that saw nothing.
  func factor(_ part: Scalar, _ sum: Scalar) -> Scalar? {
    if part == -.infinity && sum == 0 { return nil }
    // ∞ − ∞ is no distance, and 0 is one.
    if part == maximum { return 1 }
    return Scalar.exponential(part - maximum)
  }

  /// The logarithm of the whole's softmax denominator.
  var logSumExp: Scalar { sum == 0 ? -.infinity : maximum + Scalar.logarithm(sum) }
}
