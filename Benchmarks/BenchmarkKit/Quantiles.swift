/// Where the middle and the edges of a handful of timings lie.
package struct Quantiles: Sendable, Equatable {
  /// A fifth of the values is smaller.
  package let p20: Double
  /// Half of the values is smaller.
  package let median: Double
  /// A fifth of the values is larger.
  package let p80: Double

  /// Of `samples`, in any order; between two samples the value is interpolated linearly (type 7 of Hyndman and Fan,
  /// which is NumPy's default).
  ///
  /// - Precondition: at least one sample.
  package init(_ samples: [Double]) {
    precondition(!samples.isEmpty, "quantiles of no samples")
    let sorted = samples.sorted()
    func quantile(_ fraction: Double) -> Double {
      let position = fraction * Double(sorted.count - 1)
      let below = Int(position)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
    }
    p20 = quantile(0.2)
    median = quantile(0.5)
    p80 = quantile(0.8)
  }

  /// Every quantile times `factor`.
  package func scaled(by factor: Double) -> Quantiles {
    Quantiles(p20: p20 * factor, median: median * factor, p80: p80 * factor)
  }

  private init(p20: Double, median: Double, p80: Double) {
    self.p20 = p20
    self.median = median
    self.p80 = p80
  }
}
