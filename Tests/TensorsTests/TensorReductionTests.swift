import Tensors
import Testing

@Suite struct TensorReductionTests {
  @Test func sumsAlongEachAxis() {
    let tensor = counting([2, 3, 4])
    #expect(tensor.sum(axis: 0).elements == [12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34])
    #expect(tensor.sum(axis: 1).elements == [12, 15, 18, 21, 48, 51, 54, 57])
    #expect(tensor.sum(axis: 2).elements == [6, 22, 38, 54, 70, 86])
    #expect(tensor.sum(axis: 1).shape == [2, 4])
    #expect(tensor.transposed().sum(axis: 1) == tensor.sum(axis: 2))
    #expect(counting([5]).sum(axis: 0)[] == 10)
  }

  @Test func sumsAreTakenInDouble() throws {
    // In Float, 2²⁴ + 1 is 2²⁴ again; in Float16, so are 2048 + 1 and 2048.
    #expect(try Tensor<Float>([0x1p24, 1, 1], shape: [3]).sum(axis: 0)[] == 0x1p24 + 2)
    #expect(try Tensor<Float16>([2048, 1, 1], shape: [3]).sum(axis: 0)[] == 2050)
    #expect(Tensor<Float>(repeating: 1, shape: [1500]).sum(axis: 0)[] == 1500)
  }

  @Test func maximaAlongEachAxis() throws {
    let tensor = try Tensor<Float>([3, -1, 2, -5, 7, -.infinity], shape: [2, 3])
    #expect(tensor.max(axis: 0).elements == [3, 7, 2] && tensor.max(axis: 1).elements == [3, 7])
    for place in 0..<3 {
      var values: [Float] = [1, 2, 3]
      values[place] = .nan
      #expect(try Tensor(values, shape: [3]).max(axis: 0)[].isNaN, "NaN at \(place)")
    }
    #expect(try Tensor<Float>([-.infinity, -.infinity], shape: [2]).max(axis: 0)[] == -.infinity)
  }

  @Test func emptyAxes() {
    let tensor = Tensor<Float>.zeros([2, 0])
    #expect(tensor.sum(axis: 1).elements == [0, 0])
    #expect(tensor.max(axis: 1).elements == [-.infinity, -.infinity])
    #expect(tensor.sum(axis: 0).shape == [0])
  }
}
