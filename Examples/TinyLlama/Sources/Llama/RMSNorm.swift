import Attention

/// Root mean square normalisation of each token: `x · weight / √(mean(x²) + epsilon)`.
struct RMSNorm {
  /// `[width]`
  let weight: Tensor<Float>
  let epsilon: Float

  /// - Parameter x: `[total, width]`.
  func callAsFunction(_ x: Tensor<Float>) throws(AttentionError) -> Tensor<Float> {
    let meanSquare = try (x * x).sum(axis: 1) / Float(x.shape[1])
    let factor = (meanSquare + epsilon).mapped { 1 / $0.squareRoot() }
    return try x * factor.expanded(axis: 1) * weight
  }
}
