import Tensors
import Testing

/// What is a typo in code stops the program instead of reading or writing elsewhere.
@Suite struct PreconditionTests {
  @Test func indexOutsideAnAxis() async {
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3])[0, 3] }
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3])[-1, 0] }
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3])[0] }
  }

  @Test func writeOutsideAnAxis() async {
    await #expect(processExitsWith: .failure) {
      var tensor = Tensor<Float>.zeros([2, 3])
      tensor.withMutableView { $0[2, 0] = 1 }
    }
  }

  @Test func axesThatAreNone() async {
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3]).permuted(0, 0) }
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3]).sliced(axis: 1, 2..<4) }
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2, 3]).sum(axis: 2) }
    await #expect(processExitsWith: .failure) { _ = Tensor<Float>.zeros([2]).transposed() }
  }

  @Test func shapesThatDoNotFitMemory() async {
    await #expect(processExitsWith: .failure) { _ = Tensor<Double>.zeros([1 << 61]) }
    await #expect(processExitsWith: .failure) { _ = Shape([1, 1, 1, 1, 1, 1, 1, 1, 1]) }
  }
}
