import LinearAlgebra
import Tensors
import Testing

@Suite struct BLASTensorsTests {
  @Test(arguments: View.allCases, [0.0, 1.0, -0.5])
  func `gemm into results of any strides`(view: View, beta: Double) throws {
    let a = randomTensor([17, 9], of: Double.self, seed: 61)
    let b = randomTensor([9, 5], of: Double.self, seed: 62)
    var c = try view.make(17, 5, of: Double.self, seed: 63)
    let before = c.elements
    let shared = c
    try BLAS.gemm(alpha: 1.5, a, b, beta: beta, into: &c)
    let mismatch = ProductOracle(a, b).mismatch(c.elements, alpha: 1.5, beta: beta, before: before)
    #expect(mismatch == nil, "\(view) beta \(beta)")
    #expect(shared.elements == before, "\(view): a copy changed with the result")
  }

  @Test func `gemm writes a transposed result in place`() throws {
    let a = randomTensor([4, 6], of: Float.self, seed: 64)
    let b = randomTensor([6, 3], of: Float.self, seed: 65)
    var c = Tensor<Float>(repeating: .nan, shape: [3, 4]).transposed()
    try BLAS.gemm(a, b, into: &c)
    #expect(c.strides == [1, 4])
    #expect(ProductOracle(a, b).mismatch(c.elements) == nil)
  }

  @Test(arguments: [(5, 7, 3), (5, 7, 1), (1, 7, 3), (5, 0, 3), (5, 0, 1), (64, 64, 64), (300, 300, 300)])
  func `beta 0 does not read the result`(m: Int, k: Int, n: Int) throws {
    let a = randomTensor([m, k], of: Float.self, seed: 66)
    let b = randomTensor([k, n], of: Float.self, seed: 67)
    for old in [Float.nan, .infinity] {
      var c = Tensor<Float>(repeating: old, shape: [m, n])
      try BLAS.gemm(a, b, beta: 0, into: &c)
      #expect(ProductOracle(a, b).mismatch(c.elements) == nil, "[\(m), \(k)] · [\(k), \(n)] over \(old)")
    }
  }

  @Test(arguments: [View.dense, .transposed, .bothStrided, .reversedRows], [0.0, 2.0])
  func `gemv with vectors of any stride`(view: View, beta: Double) throws {
    let a = try view.make(9, 14, of: Float.self, seed: 68)
    let xs = randomTensor([14, 2], of: Float.self, seed: 69)
    let ys = randomTensor([9, 3], of: Float.self, seed: 70)
    var y = ys.selected(axis: 1, 1)
    try BLAS.gemv(alpha: -2, a, xs.selected(axis: 1, 1), beta: Float(beta), into: &y)
    let oracle = ProductOracle(a, xs.sliced(axis: 1, 1..<2))
    let before = ys.selected(axis: 1, 1).elements
    let mismatch = oracle.mismatch(y.elements, alpha: -2, beta: beta, before: before)
    #expect(mismatch == nil, "\(view) beta \(beta)")
  }

  @Test func `batched gemm adds to each matrix what it would add alone`() throws {
    let a = randomTensor([2, 3, 5, 7], of: Float.self, seed: 71)
    let b = randomTensor([3, 7, 4], of: Float.self, seed: 72)
    // The result as [B, T, H, D], written as [B, H, T, D].
    let before = randomTensor([2, 5, 3, 4], of: Float.self, seed: 73)
    var c = before.permuted(0, 2, 1, 3)
    try BLAS.batchedGEMM(alpha: 0.5, a, b, beta: -1, into: &c)
    for batch in 0..<2 {
      for head in 0..<3 {
        let oracle = ProductOracle(
          a.selected(axis: 0, batch).selected(axis: 0, head), b.selected(axis: 0, head))
        let old = before.permuted(0, 2, 1, 3).selected(axis: 0, batch).selected(axis: 0, head).elements
        let result = c.selected(axis: 0, batch).selected(axis: 0, head).elements
        let mismatch = oracle.mismatch(result, alpha: 0.5, beta: -1, before: old)
        #expect(mismatch == nil, "batch \(batch) head \(head)")
      }
    }
  }

  @Test func `a result that is an operand too`() throws {
    var c = randomTensor([6, 6], of: Double.self, seed: 74)
    let a = c
    try BLAS.gemm(a, c, beta: 1, into: &c)
    #expect(ProductOracle(a, a).mismatch(c.elements, beta: 1, before: a.elements) == nil)
  }

  @Test func `errors name the argument and leave the result alone`() throws {
    let a = Tensor<Float>.zeros([2, 3])
    let b = Tensor<Float>.zeros([3, 4])
    var c = Tensor<Float>(repeating: 7, shape: [2, 5])
    func named(_ argument: String, _ body: () throws -> Void) {
      let error = #expect(throws: AttentionError.self) { try body() }
      #expect(error?.kind == .invalidArgument && error?.argument == argument)
    }
    named("c") { try BLAS.gemm(a, b, into: &c) }
    named("b") { try BLAS.gemm(a, a, into: &c) }
    named("a") { try BLAS.gemm(a.expanded(axis: 0), b, into: &c) }
    named("b") { try BLAS.batchedGEMM(a, Tensor<Float>.zeros([3]), into: &c) }
    named("c") { try BLAS.batchedGEMM(a, b.expanded(axis: 0), into: &c) }
    var y = Tensor<Float>(repeating: 7, shape: [3])
    named("x") { try BLAS.gemv(a, Tensor<Float>.zeros([2]), into: &y) }
    named("x") { try BLAS.gemv(a, a, into: &y) }
    named("y") { try BLAS.gemv(a, Tensor<Float>.zeros([3]), into: &y) }
    #expect(c.elements.allSatisfy { $0 == 7 } && y.elements.allSatisfy { $0 == 7 })
  }

  @Test func `giant results throw before they are copied`() throws {
    let side = (1 << 31) - 1
    let one = Tensor<Float>(repeating: 1, shape: [1, 1])
    var c = try one.broadcast(to: [side, side])
    let (a, b) = (try one.broadcast(to: [side, 1]), try one.broadcast(to: [1, side]))
    #expect(throws: AttentionError.self) { try BLAS.gemm(a, b, into: &c) }
    #expect(throws: AttentionError.self) {
      try BLAS.gemm(try one.broadcast(to: [side + 1, 1]), one, into: &c)
    }
    var y = try Tensor<Float>(repeating: 1, shape: [1]).broadcast(to: [1 << 31])
    #expect(throws: AttentionError.self) {
      try BLAS.gemv(try one.broadcast(to: [1 << 31, 1]), Tensor<Float>.zeros([1]), into: &y)
    }
  }
}
