import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct NormTests {
  private static let widths = [1, 2, 7, 16, 17, 63, 64, 65, 130, 384, 1001]

  @Test(arguments: [1, 2, 3, 7], widths)
  func `rows come to the scale that the formulas give`(threads: Int, width: Int) throws {
    for rows in [0, 1, 5, 40] {
      let x = randomTensor([rows, width], of: Float.self, seed: 91)
      let weight = randomTensor([width], of: Float.self, seed: 92)
      let bias = randomTensor([width], of: Float.self, seed: 93)
      let norms = [
        try Norm.rms(weight: weight, epsilon: 1e-5),
        try Norm.layer(weight: weight, bias: bias, epsilon: 1e-5),
      ]
      for norm in norms {
        let result = try norm(x, on: Pools.of(threads))
        #expect(result.shape == x.shape && norm.width == width)
        for row in 0..<rows {
          let numbers = x.selected(axis: 0, row).elements.map { Double($0) }
          let expected = Self.expected(numbers, norm)
          for (column, value) in result.selected(axis: 0, row).elements.enumerated() {
            // Rows of mean size 1/2: some roundings of sums, times the factor that brings small variances up.
            let bound = 2e-6 * expected.factor * (1 + expected.values[column].magnitude)
            #expect(
              (Double(value) - expected.values[column]).magnitude <= bound,
              "\(norm.kind), width \(width), row \(row), column \(column)")
          }
        }
      }
    }
  }

  /// The formula in Double, and the factor by which differences grow, at least 1.
  private static func expected(_ row: [Double], _ norm: Norm) -> (values: [Double], factor: Double) {
    let count = Double(row.count)
    let mean = norm.kind == .layer ? row.reduce(0, +) / count : 0
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    let root = (variance + Double(norm.epsilon)).squareRoot()
    let values = row.indices.map { column in
      let scaled = (row[column] - mean) / root * Double(norm.weight[column])
      return scaled + Double(norm.bias?[column] ?? 0)
    }
    return (values, max(1, 1 / root))
  }

  @Test func `any strides, any axes, and NaN stays in its row`() throws {
    let weight = randomTensor([9], of: Float.self, seed: 94)
    let norm = try Norm.rms(weight: weight, epsilon: 1e-6)
    for view in View.allCases {
      let x = try view.make(4, 9, of: Float.self, seed: 95)
      #expect(try norm(x).elements == norm(x.contiguousCopy()).elements, "\(view)")
    }
    #expect(try norm(Tensor<Float>.zeros([2, 3, 9])).shape == [2, 3, 9])
    #expect(try norm(Tensor<Float>.zeros([9])).elements.allSatisfy { $0 == 0 })
    let wide = randomTensor([18], of: Float.self, seed: 96).sliced(axis: 0, 0..<18, by: 2)
    let strided = try Norm.layer(weight: wide, bias: wide, epsilon: 0)
    let dense = try Norm.layer(weight: wide.contiguousCopy(), bias: wide.contiguousCopy(), epsilon: 0)
    var x = randomTensor([3, 9], of: Float.self, seed: 97)
    let clean = try dense(x).elements
    #expect(try strided(x).elements == clean)
    x[1, 4] = .nan
    for (place, value) in try strided(x).elements.enumerated() {
      #expect(place / 9 == 1 ? value.isNaN : value == clean[place], "at \(place)")
    }
  }

  @Test func `what does not fit is named`() throws {
    let (weight, matrix) = (Tensor<Float>.zeros([4]), Tensor<Float>.zeros([2, 2]))
    #expect(message { try Norm.rms(weight: matrix, epsilon: 1) }.contains("weight"))
    #expect(message { try Norm.layer(weight: weight, bias: matrix, epsilon: 1) }.contains("bias"))
    #expect(message { try Norm.layer(weight: matrix, bias: matrix, epsilon: 1) }.contains("weight"))
    for epsilon in [Float.nan, .infinity, -1] {
      #expect(message { try Norm.rms(weight: weight, epsilon: epsilon) }.contains("epsilon"), "\(epsilon)")
    }
    let norm = try Norm.rms(weight: weight, epsilon: 0)
    #expect(message { try norm(Tensor<Float>.zeros([4, 3])) }.contains("[4, 3]"))
    #expect(message { try norm(Tensor<Float>.zeros([])) }.contains("x"))
  }
}
