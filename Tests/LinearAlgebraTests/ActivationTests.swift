import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct ActivationTests {
  private static func exact(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .silu: x / (1 + exp(-x))
    case .gelu: x / 2 * erfc(-x / 2.0.squareRoot())
    case .geluTanh: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }
  }

  @Test(arguments: Activation.allCases)
  func `an activation is its formula`(activation: Activation) throws {
    for count in [0, 1, 15, 16, 17, 4001] {
      let x = Tensor<Float>.uniform([count], in: -12..<12, seed: 101)
      let factors = Tensor<Float>.uniform([count], in: -2..<2, seed: 102)
      let (plain, gated) = (activation(x), try activation(x, times: factors))
      #expect(plain.shape == x.shape && gated.shape == x.shape)
      for index in 0..<count {
        let expected = Self.exact(activation, Double(x[index]))
        let bound = 2.5e-7 * max(1, expected.magnitude)
        #expect((Double(plain[index]) - expected).magnitude <= bound, "\(activation)(\(x[index]))")
        let factor = Double(factors[index])
        let product = (bound + 0x1p-24 * expected.magnitude) * factor.magnitude
        #expect(
          (Double(gated[index]) - expected * factor).magnitude <= product,
          "\(activation)(\(x[index])), \(factor)")
      }
    }
  }

  @Test func `known values`() throws {
    // The formulas to ten digits, by Python's math module.
    let x = try Tensor<Float>([-3, -1, 0, 1, 3], shape: [5])
    let expected: [Activation: [Double]] = [
      .silu: [-0.1422776195, -0.2689414214, 0, 0.7310585786, 2.8577223805],
      .gelu: [-0.0040496941, -0.1586552539, 0, 0.8413447461, 2.9959503059],
      .geluTanh: [-0.0036373921, -0.1588080094, 0, 0.8411919906, 2.9963626079],
    ]
    for activation in Activation.allCases {
      let values = activation(x).elements
      for (value, known) in zip(values, expected[activation] ?? []) {
        #expect(
          (Double(value) - known).magnitude < 3e-7 * max(1, known.magnitude),
          "\(activation): \(value), \(known)")
      }
    }
  }

  @Test(arguments: Activation.allCases)
  func `any strides; edges; shapes that differ throw`(activation: Activation) throws {
    for view in View.allCases {
      let x = try view.make(5, 9, of: Float.self, seed: 103)
      let factors = try view.make(5, 9, of: Float.self, seed: 104)
      #expect(activation(x).elements == activation(x.contiguousCopy()).elements, "\(view)")
      #expect(
        try activation(x, times: factors).elements
          == activation(x.contiguousCopy(), times: factors.contiguousCopy()).elements, "\(view)")
    }
    let edges = try activation(Tensor<Float>([.infinity, .nan, 0, -200, 1e30], shape: [5])).elements
    #expect(edges[0] == .infinity && edges[1].isNaN && edges[2] == 0 && edges[3] == 0 && edges[4] == 1e30)
    let (x, other) = (Tensor<Float>.zeros([2, 3]), Tensor<Float>.zeros([3, 2]))
    #expect(message { try activation(x, times: other) }.contains("[3, 2]"))
  }
}
