import LinearAlgebra
import Tensors
import Testing

@Suite struct LinearAlgebraErrorTests {
  @Test func `messages name the argument, what was given and what was expected`() throws {
    let error = #expect(throws: LinearAlgebraError.self) {
      try matmul(Tensor<Float>.zeros([2, 3]), Tensor<Float>.zeros([4, 5]))
    }
    #expect(
      error?.description
        == "matmul(_:_:): b has 4 rows in shape [4, 5], expected 3, the columns of a with shape [2, 3]")
  }

  @Test func `messages of numerical failures`() {
    #expect(
      LinearAlgebraError.singular(operation: "solve(_:_:)", pivot: 2).description
        == "solve(_:_:): the matrix is singular, zero at pivot 2")
    #expect(LinearAlgebraError.noConvergence(operation: "svd(_:)", info: 3).description.contains("converge"))
    #expect(LinearAlgebraError.outOfMemory(operation: "qr(_:)").description.contains("memory"))
  }
}
