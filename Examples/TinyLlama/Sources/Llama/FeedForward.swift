import Attention
import Foundation

/// The SwiGLU feed-forward layer: `down(silu(gate(x)) · up(x))` with `silu(z) = z / (1 + e⁻ᶻ)`.
struct FeedForward {
  let gate, up, down: Projection<Float>

  /// - Parameter x: `[total, width]`.
  func callAsFunction(_ x: Tensor<Float>) throws(AttentionError) -> Tensor<Float> {
    let opened = try gate(x).mapped { $0 / (1 + exp(-$0)) }
    return try down(opened * up(x))
  }
}
