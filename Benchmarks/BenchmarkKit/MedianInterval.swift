import Foundation

/// Where the median of what was sampled lies with a probability of 95 %, whatever the distribution.
///
/// Between two order statistics: of `n` samples, the number below the true median is binomial with `p = 1/2`, so that the median lies
/// between the `l`-th smallest and the `l`-th largest with the probability `1 − 2 · P(B(n, 1/2) < l)`; the largest `l` that leaves
/// at least 95 % is taken (J.-Y. Le Boudec, *Performance Evaluation of Computer and Communication Systems*, EPFL Press 2010, theorem 2.1;
/// H. A. David, H. N. Nagaraja, *Order Statistics*, 3rd ed., section 7.1).
package struct MedianInterval: Sendable, Equatable {
  /// The least number of samples that say so much about their median.
  package static var fewestSamples: Int { 6 }

  /// Its lower end, a sample.
  package let lower: Double
  /// Its upper end, a sample.
  package let upper: Double
  /// The samples' own median.
  package let median: Double

  /// The interval of samples in any order; nil for fewer than ``fewestSamples``.
  package init?(_ samples: [Double]) {
    guard samples.count >= Self.fewestSamples else { return nil }
    let sorted = samples.sorted()
    let rank = Self.rank(of: samples.count)
    lower = sorted[rank - 1]
    upper = sorted[samples.count - rank]
    median = Quantiles(samples).median
  }

  /// Half its width over the median, in percent; nil where the median is 0.
  package var halfWidthPercent: Double? {
    median > 0 ? 100 * (upper - lower) / 2 / median : nil
  }

  /// Which of so many samples, counted from 1 and from either end, bounds the interval.
  ///
  /// - Precondition: at least ``fewestSamples``, and at most 1000: 2⁻ⁿ is a Double.
  package static func rank(of count: Int) -> Int {
    precondition(fewestSamples...1000 ~= count, "\(count) samples have no interval of 95 %")
    var probability = pow(0.5, Double(count))
    var below = 0.0
    var rank = 0
    while below + probability <= 0.025 {
      below += probability
      rank += 1
      probability *= Double(count - rank + 1) / Double(rank)
    }
    return rank
  }
}
