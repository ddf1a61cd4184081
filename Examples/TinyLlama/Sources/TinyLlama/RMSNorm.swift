import Attention

/// Root mean square normalisation of each token: `x · weight / √(mean(x²) + epsilon)`.
struct RMSNorm {
  /// `[width]`
  let weight: Tensor<Float>
  let epsilon: Float

  /// - Parameter x: `[1, T, width]`.
  func callAsFunction(_ x: Tensor<Float>) throws(AttentionError) -> Tensor<Float> {
    let meanSquare = try (x * x).sum(axis: 2) / Float(x.shape[2])
    let factor = (meanSquare + epsilon).mapped { 1 / $0.squareRoot() }
    return try x * factor.expanded(axis: 2) * weight
  }
}
