import Foundation
import Tensors
import Testing

@Suite struct TensorSoftmaxTests {
  /// By the formula, in Double.
  private func oracle(_ row: [Double]) -> [Double] {
    let largest = row.max() ?? 0
    let weights = row.map { Foundation.exp($0 - largest) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  private func check<Element: FloatingPointElement>(_ type: Element.Type, relative: Double, smallest: Double)
  {
    for (width, deviation) in [(1, 1.0), (7, 1), (600, 3), (1000, 30)] {
      let tensor = Tensor<Element>.normal([width, 4], standardDeviation: deviation, seed: 3).transposed()
      let result = tensor.softmax()
      #expect(result.shape == tensor.shape && result.isContiguous)
      for row in 0..<4 {
        let exact = oracle(elementsByIndex(tensor.selected(axis: 0, row)).map { $0.doubleValue })
        for (weight, expected) in zip(result.selected(axis: 0, row).elements, exact) {
          let error = (weight.doubleValue - expected).magnitude
          #expect(
            error <= relative * expected + smallest, "\(type) of \(width): \(weight), expected \(expected)")
        }
      }
    }
  }

  /// In Float: the difference x − m rounds by at most half a unit, |x − m|·2⁻²⁴, which `exp` turns into a relative error;
  /// |x − m| is below 104 wherever the weight is not 0. `exp` (2 ulp), the sum of `n` non-negative terms (n·2⁻²⁴) and
  /// the quotient add theirs. The 16-bit types then round once more.
  @Test func isTheFormula() {
    let single = (104.0 + 4 + 2 * 1000 + 1) * 0x1p-24
    check(Double.self, relative: (745.0 + 4 + 2 * 1000 + 1) * 0x1p-53, smallest: .leastNonzeroMagnitude)
    check(Float.self, relative: single, smallest: Double(Float.leastNonzeroMagnitude))
    check(Float16.self, relative: single + 0x1p-11, smallest: Double(Float16.leastNonzeroMagnitude))
    check(BFloat16.self, relative: single + 0x1p-8, smallest: 0x1p-133)
  }

  @Test(
    arguments: [
      ([-.infinity, -.infinity], [0, 0]),
      ([-.infinity, 0, 0], [0, 0.5, 0.5]),
      ([1, .infinity, -.infinity], [0, 1, 0]),
      ([.infinity, 1, .infinity], [.nan, .nan, .nan]),
      ([0, .nan, 1], [.nan, .nan, .nan]),
      ([-.infinity, .nan], [.nan, .nan]),
      ([.nan, -.infinity, -.infinity], [.nan, .nan, .nan]),
      ([.infinity, .nan], [.nan, .nan]),
      ([60000, 60000], [0.5, 0.5]),
      ([-60000, 0], [0, 1]),
      ([7], [1]),
    ] as [([Float], [Float])])
  func edges(row: [Float], expected: [Float]) throws {
    func check<Element: FloatingPointElement>(_ type: Element.Type) throws {
      // The row among others, which stay as they are.
      let plain = [Float](repeating: 2, count: row.count)
      let tensor = try Tensor<Float>(plain + row + plain, shape: [3, row.count]).converted(to: type)
      let result = tensor.softmax().converted(to: Float.self)
      let middle = result.selected(axis: 0, 1).elements
      #expect(
        zip(middle, expected).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }, "\(type) \(row): \(middle)")
      for other in [0, 2] {
        #expect(result.selected(axis: 0, other).elements.allSatisfy { $0 > 0 && $0 <= 1 }, "\(type) \(row)")
      }
    }
    try check(Double.self)
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
  }

  @Test func emptyAndScalarTensors() throws {
    #expect(Tensor<Float>.zeros([2, 0]).softmax().shape == [2, 0])
    #expect(Tensor<Float16>.zeros([0, 2]).softmax().isEmpty)
    #expect(Tensor<Float>.zeros([]).softmax()[] == 1)
    #expect(try Tensor<BFloat16>([-.infinity], shape: []).softmax()[] == 0)
  }

  @Test func rowsThatDoNotExistMayBeOfAnyWidth() {
    let shape: Shape = [0, 1 << 61]
    #expect(Tensor<Float16>.zeros(shape).softmax().shape == shape)
    #expect(Tensor<BFloat16>.zeros(shape).softmax().shape == shape)
    #expect(Tensor<Float>.zeros(shape).softmax().shape == shape)
  }
}

extension BFloat16 {
  fileprivate static prefix func - (value: BFloat16) -> BFloat16 {
    BFloat16(bitPattern: value.bitPattern ^ 0x8000)
  }
}
