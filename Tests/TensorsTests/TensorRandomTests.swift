import Foundation
import Tensors
import Testing

@Suite struct TensorRandomTests {
  private static let count = 1_000_000

  /// The first numbers of three seeds, from an independent implementation: SplitMix64 in Python's integers and
  /// `statistics.NormalDist().inv_cdf`.
  static let firstNormals: [(UInt64, [Double])] = [
    (
      0,
      [
        0.3919393499913908, 0.5278898628993066, -0.28682243730897145, 0.40269503640924154, 0.7992541338861667,
        -1.052720059500299,
      ]
    ),
    (
      1,
      [
        -0.3366522922158836, 1.5854173652844237, -1.6926925951922183, 0.7635655876185692, -0.7751851525933815,
        0.7534131940651776,
      ]
    ),
    (
      42,
      [
        -0.40349536446955686, 1.7033288326736677, -0.03422331773865488, -1.4957616190988268,
        0.4590914136480715,
        -1.4945930359105208,
      ]
    ),
  ]

  @Test(arguments: firstNormals)
  func normalsAreFixedForEver(seed: UInt64, expected: [Double]) {
    for (number, value) in zip(Tensor<Double>.normal([6], seed: seed).elements, expected) {
      // The two differ in the logarithm, by 2 units in the last place at most.
      #expect((number - value).magnitude <= 4 * value.ulp, "seed \(seed): \(number), expected \(value)")
    }
    #expect(Tensor<Float>.normal([6], seed: seed).elements == expected.map { Float($0) }, "seed \(seed)")
  }

  @Test func farTailIsFixedForEver() {
    let number = Tensor<Double>.normal([169_076], seed: 7).elements[169_075]
    #expect((number - 4.799968078985697).magnitude <= 4 * number.ulp)
  }

  @Test func uniformNumbersAreFixedForEver() {
    let expected = [0.36818951565166946, 0.9435642308648544, 0.04525699773739167, 0.7774369184800852]
    #expect(Tensor<Double>.uniform([4], seed: 1).elements == expected)
    #expect(Tensor<Float>.uniform([4], seed: 1).elements == expected.map { Float($0) })
    #expect(
      Tensor<Int32>.uniform([12], in: 0...9, seed: 42).elements == [3, 9, 4, 0, 6, 0, 1, 7, 1, 7, 6, 1])
    #expect(
      Tensor<Int8>.uniform([12], in: -3...6, seed: 42).elements == [0, 6, 1, -3, 3, -3, -2, 4, -2, 4, 3, -2])
  }

  @Test func everyTypeGetsTheSameNumbers() {
    let exact = Tensor<Double>.normal([3, 1000], mean: 2, standardDeviation: 3, seed: 5)
    #expect(
      Tensor<Float>.normal([3, 1000], mean: 2, standardDeviation: 3, seed: 5)
        == exact.converted(to: Float.self))
    #expect(
      Tensor<Float16>.normal([3, 1000], mean: 2, standardDeviation: 3, seed: 5)
        == exact.converted(to: Float16.self))
    #expect(
      Tensor<BFloat16>.normal([3, 1000], mean: 2, standardDeviation: 3, seed: 5)
        == exact.converted(to: BFloat16.self))
  }

  @Test func aLongerTensorStartsWithTheShorterOne() {
    let long = Tensor<Float>.normal([2000], seed: 9).elements
    for count in [0, 1, 511, 512, 513, 1025] {
      #expect(Tensor<Float>.normal([count], seed: 9).elements == Array(long.prefix(count)), "\(count)")
    }
    #expect(Tensor<Float>.normal([2000], seed: 10).elements != long)
  }

  /// Each bound is five standard errors of the estimate: one failure in two million seeds, and the seeds are fixed.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func normalMoments(seed: UInt64) {
    let numbers = Tensor<Double>.normal([Self.count], seed: seed).elements
    let n = Double(Self.count)
    let mean = numbers.reduce(0, +) / n
    let variance = numbers.reduce(0) { $0 + $1 * $1 } / n
    let skewness = numbers.reduce(0) { $0 + $1 * $1 * $1 } / n
    let kurtosis = numbers.reduce(0) { $0 + $1 * $1 * $1 * $1 } / n
    let correlation = zip(numbers, numbers.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / n
    #expect(mean.magnitude <= 5 / n.squareRoot(), "mean \(mean)")
    #expect((variance - 1).magnitude <= 5 * (2 / n).squareRoot(), "variance \(variance)")
    // Var x³ = 15 and Var x⁴ = 105 − 9 for a standard normal x.
    #expect(skewness.magnitude <= 5 * (15 / n).squareRoot(), "third moment \(skewness)")
    #expect((kurtosis - 3).magnitude <= 5 * (96 / n).squareRoot(), "fourth moment \(kurtosis)")
    #expect(correlation.magnitude <= 5 / n.squareRoot(), "correlation of neighbours \(correlation)")
  }

  /// Dvoretzky–Kiefer–Wolfowitz: P(sup |F_n − F| > ε) ≤ 2·exp(−2nε²), here one in a million.
  private static var distributionBound: Double { (log(2e6) / (2 * Double(count))).squareRoot() }

  private func distance(_ sample: [Double], from distribution: (Double) -> Double) -> Double {
    let n = Double(sample.count)
    return sample.sorted().enumerated().reduce(0) { largest, next in
      let expected = distribution(next.element)
      return max(largest, expected - Double(next.offset) / n, Double(next.offset + 1) / n - expected)
    }
  }

  @Test func normalDistributionFunction() {
    let numbers = Tensor<Double>.normal([Self.count], mean: -1, standardDeviation: 2, seed: 4).elements
    let largest = distance(numbers) { 0.5 * erfc(-($0 + 1) / 2 / 2.0.squareRoot()) }
    #expect(largest <= Self.distributionBound, "\(largest)")
  }

  @Test func uniformDistributionFunction() {
    let numbers = Tensor<Double>.uniform([Self.count], in: -3..<5, seed: 4).elements
    #expect(numbers.allSatisfy { $0 >= -3 && $0 < 5 })
    let largest = distance(numbers) { ($0 + 3) / 8 }
    #expect(largest <= Self.distributionBound, "\(largest)")
  }

  @Test func halfOpenRangesLeaveOutTheirUpperBound() {
    // Of 100,000 numbers some 195 are nearer to 1 than to the BFloat16 below it, and 24 to the Float16.
    let brains = Tensor<BFloat16>.uniform([100_000], seed: 3).elements
    #expect(brains.max() == 0.99609375)
    let halves = Tensor<Float16>.uniform([100_000], seed: 3).elements
    #expect(halves.max() == Float16(1).nextDown)
    let shifted = Tensor<Float16>.uniform([100_000], in: -2..<(-1), seed: 3).elements
    #expect(shifted.allSatisfy { $0 >= -2 && $0 < -1 })
  }

  @Test func closedRangesHaveBothBounds() {
    let numbers = Tensor<BFloat16>.uniform([100_000], in: -1...1, seed: 3).elements
    #expect(numbers.max() == 1 && numbers.min() == -1)
    #expect(Tensor<Float>.uniform([3], in: 2...2, seed: 1).elements == [2, 2, 2])
    let wide = Tensor<Double>.uniform(
      [1000], in: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude, seed: 1)
    #expect(wide.elements.allSatisfy { $0.isFinite })
  }

  @Test func wholeNumbersAreEvenlySpread() {
    let drawn = Tensor<UInt8>.uniform([Self.count], in: 0...255, seed: 6).elements
    var counts = [Int](repeating: 0, count: 256)
    for value in drawn { counts[Int(value)] += 1 }
    // Chi-squared with 255 degrees of freedom: mean 255, variance 510; five standard errors.
    let expected = Double(Self.count) / 256
    let chiSquared = counts.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    #expect((chiSquared - 255).magnitude <= 5 * 510.0.squareRoot(), "\(chiSquared)")
    let full = Tensor<Int64>.uniform([1000], in: .min ... .max, seed: 6).elements
    #expect(full.contains { $0 < 0 } && full.contains { $0 > 0 } && Set(full).count == 1000)
  }

  @Test func emptyAndScalarShapes() {
    #expect(Tensor<Float>.normal([0, 3], seed: 1).isEmpty)
    #expect(Tensor<Double>.normal([], seed: 1)[] == Tensor<Double>.normal([1], seed: 1)[0])
    #expect(Tensor<Double>.normal([4], mean: 3, standardDeviation: 0, seed: 1).elements == [3, 3, 3, 3])
  }
}
