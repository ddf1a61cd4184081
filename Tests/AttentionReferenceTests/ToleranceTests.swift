import AttentionReference
import Tensors
import Testing

@Suite struct ToleranceTests {
  @Test func relativeAndAbsolutePartsAddUp() {
    let tolerance = Tolerance(relative: 0.125, absolute: 0.5)
    #expect(tolerance.accepts(9.5, expected: 8))
    #expect(tolerance.accepts(-6.5, expected: -8))
    #expect(!tolerance.accepts(9.5625, expected: 8))
    #expect(!tolerance.accepts(0.5625, expected: 0))
  }

  @Test func specialValuesMeetTheirLike() {
    let specials = [Double.nan, .infinity, -.infinity, 0]
    for (row, actual) in specials.enumerated() {
      for (column, expected) in specials.enumerated() {
        #expect(
          Tolerance(relative: 1, absolute: 1e300).accepts(actual, expected: expected) == (row == column),
          "\(actual) for \(expected)")
      }
    }
  }

  @Test func worstMismatchNamesIndexAndValues() throws {
    let actual = try Tensor<Float>([0, 1, 2, 3, 4, 8], shape: [2, 3])
    let expected = try Tensor<Double>([0, 1, 3, 3, 4, 5], shape: [2, 3])
    let mismatch = Tolerance(absolute: 0.5).worstMismatch(actual, expected: expected)
    #expect(mismatch?.description == "[1, 2]: 8.0, expected 5.0")
    #expect(Tolerance(absolute: 3).worstMismatch(actual, expected: expected) == nil)
  }

  @Test func worstMismatchFindsNaN() throws {
    let actual = try Tensor<Float>([0, .nan], shape: [2])
    let zeros = Tensor<Float>.zeros([2])
    #expect(Tolerance(absolute: 1).worstMismatch(actual, expected: zeros)?.position == 1)
    #expect(Tolerance(absolute: 1).worstMismatch(zeros, expected: actual)?.position == 1)
    #expect(Tolerance(absolute: 0).worstMismatch(actual, expected: actual) == nil)
  }

  @Test func naiveErrorIsDoubledAndInfinitiesDoNotCount() throws {
    let naive = try Tensor<Float>([1, 2.5, .nan, .infinity], shape: [4])
    let reference = try Tensor<Double>([1.25, 2.5, 3, 4], shape: [4])
    #expect(Tolerance.twiceNaive(naive, reference: reference).absolute == 0.5 + 1e-5)
  }

  @Test func caseFilesAllowMoreForHalfTypes() {
    #expect(Tolerance.caseFile(.float32) == Tolerance(relative: 1e-3, absolute: 1e-5))
    #expect(Tolerance.caseFile(.float64) == Tolerance.caseFile(.float32))
    #expect(Tolerance.caseFile(.float16) == Tolerance(relative: 1e-2, absolute: 1e-2))
    #expect(Tolerance.caseFile(.bfloat16) == Tolerance(relative: 2e-2, absolute: 2e-2))
  }
}
