import Foundation
import Tensors
import Testing

@Suite struct TensorElementwiseTests {
  @Test func mappedVisitsInRowMajorOrder() throws {
    var visited: [Float] = []
    let result = counting([2, 3]).transposed().mapped { value in
      visited.append(value)
      return value * 2
    }
    #expect(
      visited == [0, 3, 1, 4, 2, 5] && result.elements == [0, 6, 2, 8, 4, 10] && result.shape == [3, 2])
    #expect(try Tensor<Bool>([true, false], shape: [2]).mapped { !$0 }.elements == [false, true])
    #expect(counting([0]).mapped { $0 + 1 }.isEmpty && counting([]).mapped { $0 + 1 }[] == 1)
  }

  @Test func mappedLetsErrorsThrough() {
    #expect(throws: AttentionError("test", "two")) {
      try counting([4]).mapped { value throws(AttentionError) in
        if value == 2 { throw AttentionError("test", "two") }
        return value
      }
    }
  }

  @Test func expAndTanhAreRoundedOnceFromDouble() throws {
    func check<Element: FloatingPointElement>(_ type: Element.Type) {
      let tensor = Tensor<Element>.normal([700, 3], standardDeviation: 5, seed: 1).transposed()
      let values = elementsByIndex(tensor).map { $0.doubleValue }
      #expect(tensor.exp().elements == values.map { Element(nearest: Foundation.exp($0)) }, "\(type)")
      #expect(tensor.tanh().elements == values.map { Element(nearest: Foundation.tanh($0)) }, "\(type)")
    }
    check(Double.self)
    check(Float.self)
    check(Float16.self)
    check(BFloat16.self)
    let edges = try Tensor<Float>([-.infinity, 0, 100, .infinity], shape: [4])
    #expect(edges.exp().elements == [0, 1, .infinity, .infinity])
    #expect(edges.tanh().elements == [-1, 0, 1, 1])
    #expect(try Tensor<Float>([.nan], shape: []).exp()[].isNaN)
  }
}
