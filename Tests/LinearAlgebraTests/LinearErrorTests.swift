import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct LinearErrorTests {
  @Test func `a weight, a bias and a number that do not fit are named`() throws {
    let weight = Tensor<Float>.zeros([3, 4])
    #expect(message { try Linear(weight: Tensor<Float>.zeros([3])) }.contains("weight"))
    #expect(message { try Linear(weight: Tensor<Float>.zeros([1, 3, 4])) }.contains("[1, 3, 4]"))
    #expect(message { try Linear(weight: weight, bias: Tensor<Float>.zeros([4])) }.contains("bias"))
    #expect(message { try Linear(weight: weight, bias: Tensor<Float>.zeros([1, 3])) }.contains("[1, 3]"))
    for poison in [Float.nan, .infinity, -.infinity, 1e30] {
      for place in [(0, 0), (70, 33), (129, 64)] {
        var weight = randomTensor([130, 65], of: Float.self, seed: 81)
        weight[place.0, place.1] = poison
        #expect(message { try Linear(weight: weight, as: .int8) }.contains("weight"), "\(poison) at \(place)")
        for type in [WeightType.float32, .float16, .bfloat16] {
          let stays = try Linear(weight: weight, as: type)
          let mapped = try stays(Tensor<Float>(repeating: 1, shape: [1, 65])).elements
          let bad = mapped.indices.filter { !(mapped[$0].magnitude < 1e20) }
          #expect(bad == [place.0], "\(type), \(poison) at \(place)")
        }
      }
    }
  }

  @Test(arguments: WeightType.allCases)
  func `a weight that no memory holds throws`(type: WeightType) throws {
    let one = Tensor<Float>(repeating: 1, shape: [1])
    for shape in [[1, 1 << 62], [1 << 62, 1], [1, 1 << 52], [1 << 50, 1 << 10]] as [Shape] {
      let weight = try one.broadcast(to: shape)
      #expect(message { try Linear(weight: weight, as: type) }.contains("weight"), "\(shape)")
    }
  }

  @Test func `inputs and outputs that do not fit throw before anything is written`() throws {
    let linear = try Linear(weight: Tensor<Float>(repeating: 1, shape: [6, 4]))
    #expect(message { try linear(Tensor<Float>.zeros([2, 5])) }.contains("[2, 5]"))
    #expect(message { try linear(Tensor<Float>.zeros([])) }.contains("input"))
    #expect(message { try linear(Tensor<Float>.zeros([0])) }.contains("input"))
    let x = Tensor<Float>(repeating: 1, shape: [2, 4])
    let refused: [(Shape, Strides)] = [
      ([2, 5], [5, 1]), ([3, 6], [6, 1]), ([12], [1]), ([1, 2, 6], [12, 6, 1]),
      // Columns apart, rows that overlap, rows that are one.
      ([2, 6], [12, 2]), ([2, 6], [5, 1]), ([2, 6], [0, 1]),
    ]
    for (shape, strides) in refused {
      var memory = [Float](repeating: 7, count: 40)
      memory.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        let view = MutableTensorView(base: base, shape: shape, strides: strides)
        #expect(message { try linear.write(x, to: view) }.contains("output"), "\(shape), \(strides)")
      }
      #expect(memory.allSatisfy { $0 == 7 }, "\(shape), \(strides)")
    }
    // Rows from the last to the first are at one distance.
    var memory = [Float](repeating: 7, count: 12)
    try memory.withUnsafeMutableBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      try linear.write(x, to: MutableTensorView(base: base + 6, shape: [2, 6], strides: [-6, 1]))
    }
    #expect(memory.allSatisfy { $0 == 4 })
  }
}

/// What a call throws, as it tells it.
func message<Result>(_ call: () throws -> Result) -> String {
  do {
    _ = try call()
    return "nothing thrown"
  } catch {
    return "\(error)"
  }
}
