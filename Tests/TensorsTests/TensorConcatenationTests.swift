import Tensors
import Testing

@Suite struct TensorConcatenationTests {
  @Test func alongEachAxis() throws {
    let a = counting([2, 3])
    #expect(
      try a.concatenated(with: a + Float(10), axis: 0).elements == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])
    #expect(
      try a.concatenated(with: counting([2, 1]), axis: 1).elements == [0, 1, 2, 0, 3, 4, 5, 1])
    #expect(try Tensor.concatenate([a, a.transposed().transposed(), a], axis: 1).shape == [2, 9])
    #expect(
      try Tensor.concatenate([counting([3, 2]).transposed(), a], axis: 0).elements[..<6] == [
        0, 2, 4, 1, 3, 5,
      ])
  }

  @Test func emptyPartsAddNothing() throws {
    let a = counting([2, 3])
    #expect(try Tensor.concatenate([Tensor.zeros([0, 3]), a, Tensor.zeros([0, 3])], axis: 0) == a)
    #expect(try Tensor.concatenate([Tensor<Float>.zeros([0, 3])], axis: 0).shape == [0, 3])
    #expect(try Tensor.concatenate([a], axis: 1) == a)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    #expect(throws: AttentionError("concatenate(_:axis:)", "no tensors, expected at least one")) {
      try Tensor<Float>.concatenate([], axis: 0)
    }
    #expect(
      throws: AttentionError(
        "concatenate(_:axis:)", "tensor 1 has shape [2, 4], expected [2, 3] but for axis 0")
    ) { try counting([2, 3]).concatenated(with: counting([2, 4]), axis: 0) }
    #expect(throws: AttentionError.self) { try counting([2, 3]).concatenated(with: counting([3]), axis: 1) }
    let long = try counting([]).broadcast(to: [Int.max])
    #expect(throws: AttentionError("concatenate(_:axis:)", "the length of axis 0 does not fit an Int")) {
      try long.concatenated(with: long, axis: 0)
    }
  }
}
