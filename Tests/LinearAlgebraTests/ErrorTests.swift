import Decompositions
import LinearAlgebra
import Tensors
import Testing

@Suite struct ErrorTests {
  @Test func `messages name the argument, what was given and what was expected`() throws {
    let error = #expect(throws: AttentionError.self) {
      try matmul(Tensor<Float>.zeros([2, 3]), Tensor<Float>.zeros([4, 5]))
    }
    #expect(
      error
        == AttentionError(
          "b",
          "matmul(_:_:) got 4 rows in shape [4, 5], expected 3, the columns of a with shape [2, 3]"))
  }

  @Test func `numerical failures have a kind and a message`() {
    let svd = LAPACKCall(operation: "svd(_:)").didNotConverge(3)
    #expect(svd.kind == .noConvergence(info: 3))
    #expect(svd.description == "svd(_:): the iteration did not converge (LAPACK info 3)")
    let solve = LAPACKCall(operation: "solve(_:_:)").isSingular("a", pivot: 2)
    #expect(solve.kind == .singular(pivot: 2))
    #expect(solve.description == "a: solve(_:_:) got a singular matrix, with a zero at pivot 2")
  }
}
