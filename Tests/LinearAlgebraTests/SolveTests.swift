import Decompositions
import LinearAlgebra
import Tensors
import Testing

@Suite struct SolveTests {
  @Test(arguments: [0, 1, 2, 5, 17, 65, 130], [nil, 0, 1, 3] as [Int?])
  func `the residual is small`(n: Int, columns: Int?) throws {
    try check(Float.self, n, columns)
    try check(Double.self, n, columns)
  }

  private func check<S: LAPACKScalar>(_: S.Type, _ n: Int, _ columns: Int?) throws {
    let a = randomTensor([n, n], of: S.self, seed: 101).transposed()
    let b = randomTensor(columns.map { [n, $0] } ?? [n], of: S.self, seed: 102)
    let x = try solve(a, b)
    #expect(x.shape == b.shape)
    let matrix = try x.reshaped(to: [n, columns ?? 1])
    let largest = x.elements.reduce(0) { max($0, $1.magnitude.doubleValue) }
    let error = largestError(a, matrix, b.elements.map(\.doubleValue))
    #expect(error <= lapackBound(a) * largest, "\(S.self) n \(n) columns \(String(describing: columns))")
  }

  @Test func `strided and repeated right-hand sides`() throws {
    let a = try Tensor<Double>([2, 0, 0, 4], shape: [2, 2])
    let column = try Tensor<Double>([6, 9, 8, 9], shape: [2, 2]).selected(axis: 1, 0)
    #expect(try solve(a, column).elements == [3, 2])
    let repeated = try column.expanded(axis: 1).broadcast(to: [2, 3])
    #expect(try solve(a, repeated).elements == [3, 3, 3, 2, 2, 2])
  }

  @Test func `a singular matrix names its pivot`() throws {
    let a = try Tensor<Double>([1, 2, 3, 0, 0, 5, 0, 0, 7], shape: [3, 3])
    let second = #expect(throws: AttentionError.self) {
      try solve(a, Tensor<Double>(repeating: 1, shape: [3]))
    }
    #expect(second?.kind == .singular(pivot: 1) && second?.argument == "a")
    let first = #expect(throws: AttentionError.self) {
      try solve(Tensor<Float>.zeros([1, 1]), Tensor<Float>.zeros([1]))
    }
    #expect(first?.kind == .singular(pivot: 0))
  }

  @Test func `what does not fit throws`() throws {
    let a = randomTensor([4, 4], of: Double.self, seed: 103)
    expectRefusal(of: Double.nan) { try solve($0, a) }
    expectRefusal(of: Double.infinity) { try solve(a, $0) }
    #expect(throws: AttentionError.self) { try solve(Tensor<Float>.zeros([2, 3]), .zeros([2])) }
    #expect(throws: AttentionError.self) { try solve(a, .zeros([3])) }
    #expect(throws: AttentionError.self) { try solve(a, .zeros([4, 1, 1])) }
    #expect(throws: AttentionError.self) { try solve(a, .zeros([])) }
    let one = Tensor<Double>(repeating: 1, shape: [1, 1])
    #expect(throws: AttentionError.self) { try solve(one, one.broadcast(to: [1, 1 << 31])) }
    #expect(throws: AttentionError.self) { try solve(one.broadcast(to: [1 << 31, 1 << 31]), one) }
  }
}
