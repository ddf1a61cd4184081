import Tensors
import Testing

@Suite struct WeightedAverageTests {
  /// `[2, 10]·0.2 + [4, 0]·0.7 + [8, 5]·0.1 = [4.0, 2.5]`
  @Test func threeValuesAveragedByTwentySeventyAndTenPercent() throws {
    let values = try Tensor<Float>([2, 10, 4, 0, 8, 5], shape: [3, 2])
    let weights = try Tensor<Float>([0.2, 0.7, 0.1], shape: [3])
    let average = try weightedAverage(of: values, weights: weights)
    #expect(average.shape == [2] && average.elements == [4.0, 2.5])
    let wide = try weightedAverage(
      of: values.converted(to: Double.self), weights: Tensor<Double>([0.2, 0.7, 0.1], shape: [3]))
    // Three weights that are not exact, values up to 10: some units in the last place of 4.
    #expect(wide.maximumDifference(try Tensor([4.0, 2.5], shape: [2])) <= 8 * 4.0.ulp)
  }

  @Test func manyAveragesOfTheSameValues() throws {
    let values = try Tensor<Double>([1, 2, 3, 4, 5, 6], shape: [2, 3]).transposed()
    let weights = try Tensor<Double>([1, 0, 0, 0, 0.5, 0.5], shape: [2, 3])
    let averages = try weightedAverage(of: values, weights: weights)
    #expect(averages.shape == [2, 2] && averages.elements == [1, 4, 2.5, 5.5])
    #expect(try weightedAverage(of: values, weights: weights.selected(axis: 0, 1)).elements == [2.5, 5.5])
  }

  @Test func everyTypeIsSummedInDoubleAndRoundedOnce() throws {
    func check<Element: FloatingPointElement>(_ type: Element.Type) throws {
      let values = Tensor<Element>.normal([40, 3], seed: 1)
      let weights = Tensor<Element>.normal([5, 40], seed: 2).softmax()
      let averages = try weightedAverage(of: values, weights: weights)
      for row in 0..<5 {
        for column in 0..<3 {
          var sum = 0.0
          for index in 0..<40 { sum += weights[row, index].doubleValue * values[index, column].doubleValue }
          #expect(averages[row, column] == Element(nearest: sum), "\(type) [\(row), \(column)]")
        }
      }
    }
    try check(Double.self)
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
  }

  @Test func edges() throws {
    #expect(try weightedAverage(of: Tensor<Float>.zeros([0, 2]), weights: .zeros([0])).elements == [0, 0])
    #expect(try weightedAverage(of: Tensor<Float>.zeros([0, 2]), weights: .zeros([3, 0])).shape == [3, 2])
    #expect(try weightedAverage(of: Tensor<Float>.zeros([3, 0]), weights: .zeros([3])).shape == [0])
    let infinite = try Tensor<Float>([.infinity, 1], shape: [2, 1])
    #expect(try weightedAverage(of: infinite, weights: Tensor([0, 1], shape: [2]))[0].isNaN)
  }

  @Test(
    arguments: [([3, 2], [2]), ([3], [3]), ([3, 2], [2, 2]), ([3, 2], []), ([3, 2], [1, 1, 3])]
      as [(Shape, Shape)])
  func shapesThatDoNotFitAreRefused(values: Shape, weights: Shape) {
    #expect(
      throws: AttentionError(
        "weightedAverage(of:weights:)",
        "values of shape \(values) and weights of shape \(weights), expected [n, d] and [n] or [m, n]")
    ) { try weightedAverage(of: counting(values), weights: counting(weights)) }
  }
}
