import BenchmarkKit
import Testing

@Suite struct StatisticsTests {
  /// `scipy.stats.norm.ppf` of SciPy 1.17.1.
  @Test(arguments: [
    (1e-9, -5.9978070150076865), (1e-4, -3.7190164854556804), (0.025, -1.9599639845400545),
    (0.25, -0.6744897501960817), (0.5, 0), (0.75, 0.6744897501960817), (0.975, 1.959963984540054),
    (0.9995, 3.2905267314919255),
  ])
  func normalQuantilesAreSciPys(probability: Double, expected: Double) {
    #expect(abs(Statistics.normalQuantile(probability) - expected) < 1e-12)
  }

  /// `numpy.median` and `scipy.stats.gmean`.
  @Test func middlesAreNumPysAndSciPys() throws {
    let values = [0.83, 1.04, 0.99, 1.31, 0.97, 1.02, 1.0, 5.0]
    #expect(abs(Statistics.median(values) - 1.01) < 1e-15)
    #expect(abs(try #require(Statistics.geometricMean(values)) - 1.2385683529964497) < 1e-14)
    #expect(Statistics.geometricMean([]) == nil)
  }

  /// A machine with moods of some rounds.
  private static let moods = [
    1.00, 1.02, 1.05, 1.21, 1.18, 1.20, 1.03, 0.99, 1.01, 1.00, 1.04, 1.15, 1.22, 1.16, 1.02, 0.98, 1.00,
    1.01, 1.03, 1.02, 1.19, 1.23, 1.17, 1.05, 1.00, 0.99, 1.02,
  ]

  /// A million resamples of three neighbours each, drawn by NumPy 2.4.6 as `y[(start + arange(3)) % 27]`: medians have a deviation
  /// of 0.0373, and 1.01 and 1.16 as percentiles. Rounds drawn singly have 0.0258 and 1.15. The bounds are four standard errors of
  /// 2000 resamples: σ/√2000, and for the deviation, with a kurtosis of 8.7, σ·√(7.7/8000).
  @Test func resamplesKeepNeighboursTogether() {
    let medians = BlockBootstrap().medians(of: Self.moods, stream: 0).sorted()
    #expect(medians.count == 2000)
    #expect(medians[50] == 1.01 && medians[1000] == 1.03)
    #expect([1.15, 1.16].contains(medians[1949]))
    let mean = medians.reduce(0, +) / 2000
    let variance = medians.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2000
    #expect(abs(mean - 1.0394) < 0.0033)
    #expect(abs(variance.squareRoot() - 0.0373) < 0.0046)
  }

  @Test func resamplesAreTheSameEveryTimeAndOthersInAnotherStream() {
    let bootstrap = BlockBootstrap()
    #expect(
      bootstrap.medians(of: Self.moods, stream: 3) == bootstrap.medians(of: Self.moods, stream: 3))
    #expect(
      bootstrap.medians(of: Self.moods, stream: 3) != bootstrap.medians(of: Self.moods, stream: 4))
    #expect(Set(bootstrap.medians(of: [2], stream: 0)) == [2])
  }
}
