import Attention
import AttentionInspection
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The effective rank of matrices whose singular values are known.
///
/// LAPACK's singular values are off by a small multiple of 2⁻⁵² of the largest; the entropy of a few of them by some ten
/// times that. 1e-12 leaves room for the thousands of rows that are folded together.
@Suite struct InspectionRankTests {
  private func matrix(_ rows: [[Double]]) throws -> Tensor<Double> {
    try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows.first?.count ?? 0])
  }

  /// The definition, for singular values that a test knows.
  private func rank(_ values: [Double]) -> Double {
    let sum = values.reduce(0, +)
    return exp(values.reduce(0) { $0 - $1 / sum * log($1 / sum) })
  }

  @Test(arguments: [1, 2, 5, 40]) func anIdentityHasFullRank(size: Int) throws {
    let identity = try matrix((0..<size).map { i in (0..<size).map { $0 == i ? 3.5 : 0 } })
    #expect(abs(try effectiveRank(of: identity) - Double(size)) < 1e-12 * Double(size))
  }

  @Test(arguments: [1, 1e-300, 1e300, -7]) func aFactorDoesNotMatter(factor: Double) throws {
    let diagonal = try matrix([[0, 0, 4], [2, 0, 0], [0, 1, 0]].map { $0.map { $0 * factor } })
    #expect(abs(try effectiveRank(of: diagonal) - rank([4, 2, 1])) < 1e-12)
    #expect(abs(try effectiveRank(of: diagonal.transposed()) - rank([4, 2, 1])) < 1e-12)
  }

  @Test func oneDirectionIsOne() throws {
    let outer = try matrix((1...6).map { i in (1...4).map { Double(i * $0) } })
    // Singular values that should be 0 are some 2⁻⁵² of the largest, and x ln x of that is 36 times as much.
    #expect(abs(try effectiveRank(of: outer) - 1) < 1e-12)
  }

  @Test(arguments: [(4095, 1), (4096, 5), (4097, 4097), (9000, 3000)])
  func longMatricesAreFoldedBlockByBlock(counts: (Int, Int)) throws {
    // Rows of two unit vectors, 3 wide: the singular values are the square roots of their numbers.
    let rows =
      Array(repeating: [1.0, 0, 0], count: counts.0) + Array(repeating: [0, 0, -1.0], count: counts.1)
    let expected = rank([Double(counts.0).squareRoot(), Double(counts.1).squareRoot()])
    #expect(abs(try effectiveRank(of: matrix(rows)) - expected) < 1e-12)
  }

  @Test func wideMatricesAndOtherTypes() throws {
    let wide = try matrix([[Double](repeating: 1, count: 50), (0..<50).map { $0 < 25 ? 1 : -1 }])
    #expect(abs(try effectiveRank(of: wide) - 2) < 1e-12)
    #expect(abs(try effectiveRank(of: wide.converted(to: BFloat16.self)) - 2) < 1e-12)
    #expect(abs(try effectiveRank(of: wide.converted(to: Float.self).transposed()) - 2) < 1e-12)
  }

  @Test(arguments: [[0, 0], [0, 3], [3, 0], [2, 3]] as [Shape]) func nothingHasRankZero(shape: Shape) throws {
    #expect(try effectiveRank(of: Tensor<Float>.zeros(shape)) == 0)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity]) func whatIsNotFiniteIsRefused(value: Double) throws {
    var elements = [Double](repeating: 1, count: 5000 * 2)
    elements[4321 * 2 + 1] = value
    let bad = try Tensor(elements, shape: [5000, 2])
    do {
      _ = try effectiveRank(of: bad)
      Issue.record("nothing thrown for \(value)")
    } catch {
      #expect(error.description.contains("\(value) at [4321, 1]"), "\(error)")
    }
    #expect(throws: AttentionError.self) { try effectiveRank(of: Tensor<Double>.zeros([2, 2, 2])) }
  }
}
