import Tensors
import Testing

@Suite struct TensorCreationTests {
  @Test func fromAnyCollection() throws {
    #expect(try Tensor<Float>([1, 2, 3, 4], shape: [2, 2])[1, 0] == 3)
    #expect(try Tensor((0..<3).lazy.map { Int32($0) }, shape: [3]).elements == [0, 1, 2])
    #expect(try Tensor<Double>([], shape: [2, 0]).isEmpty)
    #expect(try Tensor<Double>([7], shape: []).elements == [7])
  }

  @Test(arguments: [[2, 2], [], [0], [-1], [1 << 62, 4]] as [Shape])
  func countsThatDifferAreRefused(shape: Shape) {
    #expect(throws: AttentionError("Tensor(_:shape:)", "3 elements do not fill shape \(shape)")) {
      try Tensor<Float>([1, 2, 3], shape: shape)
    }
  }

  @Test func filled() {
    #expect(Tensor<Float16>(repeating: 2.5, shape: [2, 1]).elements == [2.5, 2.5])
    #expect(Tensor<Int64>.zeros([3]).elements == [0, 0, 0])
    #expect(Tensor<Bool>.zeros([2]).elements == [false, false])
    #expect(Tensor<BFloat16>.zeros([0, 4]).elements.isEmpty)
  }

  @Test func errorsReadAsOneLine() {
    #expect("\(AttentionError("reshaped(to:)", "no"))" == "reshaped(to:): no")
  }
}
