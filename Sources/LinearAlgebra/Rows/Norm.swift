import CAttentionKernels
import Parallelism
import Tensors

/// What brings each row of hidden states to one scale before a layer reads it.
///
///     rms(epsilon):     y[i] = x[i] · weight[i] / √(mean(x²) + epsilon)
///     layer(epsilon):   y[i] = (x[i] − mean(x)) · weight[i] / √(variance(x) + epsilon) + bias[i]
///
/// Zhang and Sennrich 2019, "Root Mean Square Layer Normalization"; Ba et al. 2016, "Layer Normalization".
public struct Norm: Sendable {
  /// Which of the two.
  public enum Kind: Sendable, Hashable {
    /// Root mean square, without a bias.
    case rms
    /// Mean and variance, with a bias.
    case layer
  }

  /// Which of the two.
  public let kind: Kind

  /// `[width]`
  public let weight: Tensor<Float>

  /// `[width]`, of layer normalisation only.
  public let bias: Tensor<Float>?

  /// Added to the mean of squares.
  public let epsilon: Float

  /// The width of the rows.
  public var width: Int { weight.shape[0] }

  /// Root mean square normalisation.
  ///
  /// - Throws: `AttentionError` where the weight is no vector or epsilon is not a finite number of at least 0.
  public static func rms(weight: Tensor<Float>, epsilon: Float) throws(AttentionError) -> Norm {
    try Norm(.rms, weight, nil, epsilon)
  }

  /// Layer normalisation.
  ///
  /// - Throws: `AttentionError` where weight and bias are no vectors of one length or epsilon is not a finite number of at least 0.
  public static func layer(
    weight: Tensor<Float>, bias: Tensor<Float>, epsilon: Float
  ) throws(AttentionError) -> Norm {
    guard bias.shape == weight.shape else {
      throw AttentionError("bias", "shape \(bias.shape) given, expected the weight's \(weight.shape)")
    }
    return try Norm(.layer, weight, bias, epsilon)
  }

  private init(
    _ kind: Kind, _ weight: Tensor<Float>, _ bias: Tensor<Float>?, _ epsilon: Float
  ) throws(AttentionError) {
    guard weight.rank == 1 else {
      throw AttentionError("weight", "shape \(weight.shape) given, expected [width]")
    }
    guard epsilon.isFinite, epsilon >= 0 else {
      throw AttentionError("epsilon", "\(epsilon) given, expected a finite number of at least 0")
    }
    self.kind = kind
    self.weight = weight.contiguous()
    self.bias = bias?.contiguous()
    self.epsilon = epsilon
  }

  /// Normalised rows in a new tensor.
  ///
  /// - Parameters:
  ///   - x: `[…, width]`, any strides.
  ///   - pool: the threads that work on it; little work stays on the calling thread.
  /// - Throws: `AttentionError` where the last axis is not ``width``.
  public func callAsFunction(
    _ x: Tensor<Float>, on pool: WorkerPool = .shared
  ) throws(AttentionError) -> Tensor<Float> {
    guard x.shape.last == width else {
      throw AttentionError("x", "shape \(x.shape) given, expected [..., \(width)]")
    }
    let rows = x.shape.dropLast().reduce(1, *)
    let source = x.contiguous()
    return Tensor(unsafeUninitializedShape: x.shape) { target in
      guard let target = target.baseAddress else { return }
      source.withUnsafePointer { source in
        forEachRow(rows, work: width, on: pool) { apply(to: source + $0 * width, into: target + $0 * width) }
      }
    }
  }

  /// One row; `target` may be `row`.
  package func apply(to row: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
    let kernels = Linear.kernels.pointee
    switch kind {
    case .rms: kernels.rms_norm(target, row, weight.unsafeBase, width, epsilon)
    case .layer: kernels.layer_norm(target, row, weight.unsafeBase, bias?.unsafeBase, width, epsilon)
    }
    withExtendedLifetime((weight, bias)) {}
  }
}
