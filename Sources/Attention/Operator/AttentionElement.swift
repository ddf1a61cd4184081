import LinearAlgebra
import Tensors

/// Element types of queries and output: Float, Double, Float16 and BFloat16.
///
/// Scores, softmax and sums are kept in ``Accumulator``, whatever keys and values are stored in.
public protocol AttentionElement: FloatingPointElement {
  /// The type of scores, weights, sums and log-sum-exp: Double for Double, Float for all others.
  associatedtype Accumulator: AttentionElement & BLASScalar
}

extension Float: AttentionElement {
  /// Float sums stay in Float.
  public typealias Accumulator = Float
}

extension Double: AttentionElement {
  /// Double sums stay in Double.
  public typealias Accumulator = Double
}

extension Float16: AttentionElement {
  /// Half precision is for storage; sums are in Float.
  public typealias Accumulator = Float
}

extension BFloat16: AttentionElement {
  /// Half precision is for storage; sums are in Float.
  public typealias Accumulator = Float
}
