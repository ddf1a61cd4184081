import Decompositions
import LinearAlgebra
import Tensors
import Testing

@Suite struct SVDTests {
  @Test(arguments: decomposedShapes)
  func `the factors multiply to the matrix and are orthonormal`(shape: Shape) throws {
    try check(randomTensor(shape, of: Float.self, seed: 81))
    try check(randomTensor(shape, of: Double.self, seed: 82))
  }

  @Test(arguments: View.allCases)
  func `matrices of any strides`(view: View) throws {
    try check(view.make(12, 7, of: Double.self, seed: 83))
  }

  private func check<S: LAPACKScalar>(_ a: Tensor<S>) throws {
    let (m, n) = (a.shape[0], a.shape[1])
    let p = min(m, n)
    let (u, s, vt) = try svd(a)
    #expect(u.shape == [m, p] && s.shape == [p] && vt.shape == [p, n])
    let values = s.elements
    #expect(values.allSatisfy { $0 >= 0 } && zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    // The product in Double, column by column: u · diag(s) rounded to S would add its own error.
    var scaled = [Double](repeating: 0, count: m * n)
    let (left, right) = (u.elements, vt.elements)
    for i in 0..<m {
      for q in 0..<p {
        for j in 0..<n {
          scaled[i * n + j] +=
            left[i * p + q].doubleValue * values[q].doubleValue * right[q * n + j].doubleValue
        }
      }
    }
    let error = zip(scaled, a.elements).reduce(0) { max($0, ($1.0 - $1.1.doubleValue).magnitude) }
    #expect(error <= lapackBound(a) && scaled.allSatisfy(\.isFinite), "\(S.self) \(a.shape)")
    let unit = 30 * Double(max(m, n, 1)) * S.ulpOfOne.doubleValue
    #expect(largestError(u.transposed(), u, identity(p)) <= unit, "\(S.self) \(a.shape): u")
    #expect(largestError(vt, vt.transposed(), identity(p)) <= unit, "\(S.self) \(a.shape): vt")
  }

  @Test func `known singular values`() throws {
    let a = try Tensor<Double>([0, -3, 0, 4, 0, 0], shape: [2, 3])
    let values = try svd(a).singularValues.elements
    #expect((values[0] - 4).magnitude <= 1e-15 && (values[1] - 3).magnitude <= 1e-15, "\(values)")
    #expect(try svd(Tensor<Float>.zeros([3, 3])).singularValues.elements == [0, 0, 0])
  }

  @Test func `what is no finite matrix throws`() throws {
    expectRefusal(of: Double.nan) { try svd($0) }
    expectRefusal(of: Float.infinity) { try svd($0) }
    #expect(throws: AttentionError.self) { try svd(Tensor<Double>.zeros([3])) }
    let one = Tensor<Float>(repeating: 1, shape: [1, 1])
    #expect(throws: AttentionError.self) { try svd(one.broadcast(to: [1 << 31, 1])) }
    #expect(throws: AttentionError.self) { try svd(one.broadcast(to: [(1 << 31) - 1, (1 << 31) - 1])) }
  }
}
