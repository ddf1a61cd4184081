import CAttentionKernels
import Parallelism
import Tensors

/// The function between the two products of a feed-forward layer.
///
///     silu(x) = x / (1 + e⁻ˣ)
///     gelu(x) = x/2 · (1 + erf(x/√2))
///     geluTanh(x) = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
///
/// Each within 2.5e-7 of the larger of 1 and the size of the result. Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".
public enum Activation: String, Sendable, CaseIterable {
  /// The sigmoid linear unit, also called swish.
  case silu
  /// The exact Gaussian error linear unit.
  case gelu
  /// Its approximation by tanh.
  case geluTanh

  /// `f(x)` of every element, in a new tensor.
  public func callAsFunction(_ x: Tensor<Float>) -> Tensor<Float> {
    let source = x.contiguous()
    return Tensor(unsafeUninitializedShape: x.shape) { target in
      guard let target = target.baseAddress else { return }
      source.withUnsafePointer { apply(to: $0, times: nil, count: x.count, into: target) }
    }
  }

  /// `f(gate) · up`, the gated unit of Llama and Gemma, in a new tensor.
  ///
  /// - Throws: `AttentionError` where the shapes differ.
  public func callAsFunction(
    _ gate: Tensor<Float>, times up: Tensor<Float>
  ) throws(AttentionError) -> Tensor<Float> {
    guard gate.shape == up.shape else {
      throw AttentionError("times", "shape \(up.shape) given, expected that of the gate, \(gate.shape)")
    }
    let (gates, factors) = (gate.contiguous(), up.contiguous())
    return Tensor(unsafeUninitializedShape: gate.shape) { target in
      guard let target = target.baseAddress else { return }
      gates.withUnsafePointer { gates in
        factors.withUnsafePointer { apply(to: gates, times: $0, count: gate.count, into: target) }
      }
    }
  }

  /// A row; `target` may be any of the others.
  package func apply(
    to x: UnsafePointer<Float>, times factors: UnsafePointer<Float>?, count: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let kernels = Linear.kernels.pointee
    switch self {
    case .silu: kernels.silu(target, x, factors, count)
    case .gelu: kernels.gelu_erf(target, x, factors, count)
    case .geluTanh: kernels.gelu_tanh(target, x, factors, count)
    }
  }
}
