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

  @Test func growthThatIsNone() async {
    await #expect(processExitsWith: .failure) {
      _ = GrowableTensor<Float>(emptyShape: [2, 0], growing: 2, capacity: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = GrowableTensor<Float>(emptyShape: [2, 3], growing: 1, capacity: 1)
    }
    await #expect(processExitsWith: .failure) {
      var growable = GrowableTensor<Float>(emptyShape: [0], growing: 0, capacity: 1)
      growable.truncate(to: 1)
    }
  }

  @Test func shapesThatDoNotFitMemory() async {
    await #expect(processExitsWith: .failure) { _ = Tensor<Double>.zeros([1 << 61]) }
    await #expect(processExitsWith: .failure) { _ = Shape([1, 1, 1, 1, 1, 1, 1, 1, 1]) }
  }
}
