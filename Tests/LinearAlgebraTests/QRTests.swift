import Decompositions
import LinearAlgebra
import Tensors
import Testing

@Suite struct QRTests {
  @Test(arguments: decomposedShapes)
  func `the factors multiply to the matrix`(shape: Shape) throws {
    try check(randomTensor(shape, of: Float.self, seed: 91))
    try check(randomTensor(shape, of: Double.self, seed: 92))
  }

  @Test(arguments: View.allCases)
  func `matrices of any strides`(view: View) throws {
    try check(view.make(12, 7, of: Float.self, seed: 93))
  }

  private func check<S: LAPACKScalar>(_ a: Tensor<S>) throws {
    let (m, n) = (a.shape[0], a.shape[1])
    let p = min(m, n)
    let (q, r) = try qr(a)
    #expect(q.shape == [m, p] && r.shape == [p, n])
    #expect(
      largestError(q, r, a.elements.map(\.doubleValue)) <= lapackBound(a), "\(S.self) \(a.shape)")
    let unit = 30 * Double(max(m, n, 1)) * S.ulpOfOne.doubleValue
    #expect(largestError(q.transposed(), q, identity(p)) <= unit, "\(S.self) \(a.shape): q")
    for row in 0..<p {
      for column in 0..<min(row, n) { #expect(r[row, column] == 0, "below the diagonal of r") }
    }
  }

  @Test func `what is no finite matrix throws`() throws {
    expectRefusal(of: Double.nan) { try qr($0) }
    expectRefusal(of: -Float.infinity) { try qr($0) }
    #expect(throws: AttentionError.self) { try qr(Tensor<Double>.zeros([2, 3, 3])) }
    let one = Tensor<Float>(repeating: 1, shape: [1, 1])
    #expect(throws: AttentionError.self) { try qr(one.broadcast(to: [1, 1 << 31])) }
  }
}
