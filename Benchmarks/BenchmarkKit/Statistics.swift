import Foundation
import Tensors

// What comparing two runs takes. No package of statistics for Swift is maintained that has a block bootstrap; each of these is some
// lines, and tested against SciPy.

/// Summaries of samples.
package enum Statistics {
  /// Half of the values is smaller; of two in the middle their mean.
  ///
  /// - Precondition: at least one value.
  package static func median(_ values: [Double]) -> Double { Quantiles(values).median }

  /// The number that a standard normal variable stays below with this probability.
  ///
  /// - Precondition: `probability` is between 0 and 1.
  package static func normalQuantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "the probability is \(probability)")
    // The lower half only: there, erfc has all its digits.
    if probability > 0.5 { return -normalQuantile(1 - probability) }
    var (low, high) = (-40.0, 0.0)
    while true {
      let middle = (low + high) / 2
      if middle <= low || middle >= high { return middle }
      if erfc(-middle / 2.0.squareRoot()) / 2 < probability { low = middle } else { high = middle }
    }
  }

  /// `exp` of the mean logarithm; nil of none.
  package static func geometricMean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : exp(values.reduce(0) { $0 + log($1) } / Double(values.count))
  }
}

/// Resampling of what was measured in the order of time.
package struct BlockBootstrap {
  /// How many resamples.
  package var count = 2000
  /// Where the random numbers begin.
  package var seed: UInt64 = 1

  /// A bootstrap with the default effort.
  package init() {}

  /// The medians of resamples, one each, in no order.
  ///
  /// Rounds next to each other share the machine's moods: single ones drawn independently would make a median look surer than
  /// it is. So runs of `∛n` rounds are drawn, as long as is usual for an unknown short memory, from a circle, so that first and last
  /// rounds count as much as others.
  ///
  /// - Parameters:
  ///   - samples: in the order of time; at least one.
  ///   - stream: another number draws other resamples: those of two runs must not go together.
  package func medians(of samples: [Double], stream: UInt64) -> [Double] {
    precondition(!samples.isEmpty, "a bootstrap of no samples")
    let size = samples.count
    // Not `cbrt`, which is a step above 3 for 27.
    var block = 1
    while block * block * block < size { block += 1 }
    let numbers = RandomStream(seed: seed &+ stream &* 0xD1B5_4A32_D192_ED03)
    var drawn = 0
    var resample = [Double](repeating: 0, count: size)
    return (0..<count).map { _ in
      var filled = 0
      while filled < size {
        let start = Int(numbers.bits(drawn).multipliedFullWidth(by: UInt64(size)).high)
        drawn += 1
        for offset in 0..<min(block, size - filled) {
          resample[filled + offset] = samples[(start + offset) % size]
        }
        filled += block
      }
      let sorted = resample.sorted()
      return (sorted[(size - 1) / 2] + sorted[size / 2]) / 2
    }
  }
}
