import Tensors
import Testing

@Suite struct TensorComparisonTests {
  @Test func equalityIsOfShapesAndNumbers() throws {
    let tensor = counting([2, 3])
    #expect(tensor == counting([2, 3]))
    #expect(tensor.transposed() == tensor.transposed().contiguousCopy())
    #expect(
      tensor != counting([3, 2]) && tensor != counting([6])
        && tensor != tensor.mapped { $0 + ($0 == 5 ? 1 : 0) })
    #expect(try Tensor<Float>([0], shape: [1]) == Tensor<Float>([-0.0], shape: [1]))
    let nan = try Tensor<Float>([.nan], shape: [1])
    #expect(nan != nan)
    #expect(Tensor<Float>.zeros([0, 3]) == Tensor<Float>.zeros([0, 3]))
    #expect(Tensor<Float>.zeros([0, 3]) != Tensor<Float>.zeros([3, 0]))
    #expect(try Tensor<Bool>([true], shape: []) == Tensor<Bool>([true], shape: []))
  }

  @Test(
    arguments: [
      (1, 1, 0), (1, 3.5, 2.5), (-1, 1, 2), (.nan, .nan, 0), (.nan, 1, .infinity), (1, .nan, .infinity),
      (.infinity, .infinity, 0), (.infinity, -.infinity, .infinity), (.infinity, 1, .infinity),
      (.nan, .infinity, .infinity),
    ] as [(Double, Double, Double)])
  func maximumDifference(left: Double, right: Double, expected: Double) throws {
    let a = try Tensor([0.25, left, 0, 0], shape: [2, 2])
    #expect(a.maximumDifference(a.contiguousCopy()) == 0)
    let c = try Tensor([0.25, right, 0, 0], shape: [2, 2])
    #expect(a.maximumDifference(c) == expected)
    #expect(c.maximumDifference(a) == expected)
    // Later elements do not hide an infinity.
    let d = try Tensor([0.25, right, 1, 0], shape: [2, 2])
    #expect(a.maximumDifference(d) == max(expected, 1))
    #expect(a.transposed().maximumDifference(c.transposed().contiguousCopy()) == expected)
  }

  @Test func maximumDifferenceOfOtherKinds() throws {
    #expect(counting([2, 3]).maximumDifference(counting([3, 2])) == .infinity)
    #expect(counting([2, 0]).maximumDifference(counting([2, 0])) == 0)
    #expect(try Tensor<UInt8>([0], shape: [1]).maximumDifference(Tensor<UInt8>([255], shape: [1])) == 255)
    #expect(try Tensor<Bool>([true], shape: [1]).maximumDifference(Tensor<Bool>([false], shape: [1])) == 1)
  }
}
