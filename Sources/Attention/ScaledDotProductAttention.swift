import Parallelism

public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, on pool: WorkerPool = .shared
) throws(AttentionError) -> Tensor<Element> {
  throw AttentionError("queries", "unwritten")
}
public func scaledDotProductAttentionWithLogSumExp<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, on pool: WorkerPool = .shared
) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
  throw AttentionError("queries", "unwritten")
}
public func scaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
  mask: AttentionMask = .none, on pool: WorkerPool = .shared, into output: inout Tensor<Element>
) throws(AttentionError) {}
/// A problem's plan.
public struct AttentionPlan: Sendable, CustomStringConvertible {
  public enum Kernel: String, Sendable, CaseIterable { case gemm }
  public let kernel: Kernel
  public let queryTile: Int
  public let keyTile: Int
  public let taskCount: Int
  public let threads: Int
  public let workspaceBytesPerThread: Int
  public init<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, on pool: WorkerPool = .shared
  ) throws(AttentionError) { throw AttentionError("queries", "unwritten") }
  public var description: String { "" }
}
