import LinearAlgebra
import Tensors
import Testing

/// The sizes at which kernels change their path: nothing, one, below, at and beyond a vector or a tile.
private let sizes = [0, 1, 2, 3, 5, 17, 64, 65]

@Suite struct BLASTests {
  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)], [0.0, 1.0, -0.5])
  func `gemm of all sizes equals the triple loop`(transposes: (Bool, Bool), beta: Double) {
    for m in sizes {
      for n in sizes {
        for k in sizes {
          let size = ProductSize(m: m, n: n, k: k)
          checkGEMM(Float.self, size, transposes, alpha: 1.25, beta: beta)
          checkGEMM(Double.self, size, transposes, alpha: 1.25, beta: beta)
        }
      }
    }
  }

  private func checkGEMM<S: BLASScalar>(
    _: S.Type, _ size: ProductSize, _ transposes: (Bool, Bool), alpha: Double, beta: Double
  ) {
    let (m, n, k) = (size.m, size.n, size.k)
    let a = randomTensor(transposes.0 ? [k, m] : [m, k], of: S.self, seed: 1)
    let b = randomTensor(transposes.1 ? [n, k] : [k, n], of: S.self, seed: 2)
    let before = randomTensor([m, n], of: S.self, seed: 3).elements
    // A column beyond n, which must not change.
    let stored = n + 1
    var c = [S](repeating: .nan, count: m * stored)
    if beta != 0 {
      for i in 0..<m { for j in 0..<n { c[i * stored + j] = before[i * n + j] } }
    }
    a.withUnsafePointer { a in
      b.withUnsafePointer { b in
        c.withUnsafeMutableBufferPointer { c in
          guard let c = c.baseAddress else { return }
          BLAS.gemm(
            size, alpha: S(alpha),
            a: MatrixOperand(a, leadingDimension: max(1, transposes.0 ? m : k), isTransposed: transposes.0),
            b: MatrixOperand(b, leadingDimension: max(1, transposes.1 ? k : n), isTransposed: transposes.1),
            beta: S(beta), c: MutableMatrixOperand(c, leadingDimension: stored))
        }
      }
    }
    let result = (0..<(m * n)).map { c[$0 / n * stored + $0 % n] }
    let oracle = ProductOracle(transposes.0 ? a.transposed() : a, transposes.1 ? b.transposed() : b)
    let mismatch = oracle.mismatch(result, alpha: alpha, beta: beta, before: before)
    #expect(mismatch == nil, "\(S.self) \(size) transposes \(transposes) beta \(beta)")
    #expect((0..<m).allSatisfy { c[$0 * stored + n].isNaN }, "\(S.self) \(size): wrote beyond a row")
  }

  @Test(arguments: [false, true], [0.0, 1.0, -0.5])
  func `gemv of all sizes and strides equals the triple loop`(isTransposed: Bool, beta: Double) {
    for m in sizes {
      for k in sizes {
        for (xStride, yStride) in [(1, 1), (3, 2), (-2, 1), (1, -3)] {
          checkGEMV(Float.self, m, k, isTransposed, beta: beta, strides: (xStride, yStride))
          checkGEMV(Double.self, m, k, isTransposed, beta: beta, strides: (xStride, yStride))
        }
      }
    }
  }

  private func checkGEMV<S: BLASScalar>(
    _: S.Type, _ m: Int, _ k: Int, _ isTransposed: Bool, beta: Double, strides: (x: Int, y: Int)
  ) {
    let a = randomTensor(isTransposed ? [k, m] : [m, k], of: S.self, seed: 4)
    let x = randomTensor([k, 1], of: S.self, seed: 5)
    let before = randomTensor([m], of: S.self, seed: 6).elements
    func place(_ index: Int, _ count: Int, _ stride: Int) -> Int {
      stride > 0 ? index * stride : (count - 1 - index) * -stride
    }
    var xs = [S](repeating: .nan, count: max(k, 1) * abs(strides.x))
    for (index, value) in x.elements.enumerated() { xs[place(index, k, strides.x)] = value }
    var ys = [S](repeating: .nan, count: max(m, 1) * abs(strides.y))
    if beta != 0 { for index in 0..<m { ys[place(index, m, strides.y)] = before[index] } }
    a.withUnsafePointer { a in
      xs.withUnsafeBufferPointer { xs in
        ys.withUnsafeMutableBufferPointer { ys in
          guard let xs = xs.baseAddress, let ys = ys.baseAddress else { return }
          BLAS.gemv(
            ProductSize(m: m, n: 1, k: k), alpha: 1.25,
            a: MatrixOperand(a, leadingDimension: max(1, isTransposed ? m : k), isTransposed: isTransposed),
            x: VectorOperand(xs + (k > 0 ? place(0, k, strides.x) : 0), stride: strides.x), beta: S(beta),
            y: MutableVectorOperand(ys + (m > 0 ? place(0, m, strides.y) : 0), stride: strides.y))
        }
      }
    }
    let result = (0..<m).map { ys[place($0, m, strides.y)] }
    let mismatch = ProductOracle(isTransposed ? a.transposed() : a, x)
      .mismatch(result, alpha: 1.25, beta: beta, before: before)
    #expect(
      mismatch == nil, "\(S.self) m \(m) k \(k) transposed \(isTransposed) beta \(beta) strides \(strides)")
  }

  @Test func `NaN in an operand reaches what depends on it, even times zero`() throws {
    var a = Tensor<Float>.zeros([5, 7])
    let b = Tensor<Float>.zeros([7, 9])
    a[2, 3] = .nan
    let c = try matmul(a, b)
    for row in 0..<5 {
      for column in 0..<9 {
        #expect(c[row, column].isNaN == (row == 2), "element [\(row), \(column)]")
      }
    }
  }
}
