import Attention
import BenchmarkKit
import Parallelism

/// The library's own operator.
final class GEMMContender<E: BenchElement>: AttentionContender {
  let kernel = BenchKernel.gemm
  let knownSeconds: Double? = nil
  let measuredPairs: Int? = nil

  private let inputs: BenchInputs<E>
  private let mask: AttentionMask
  private let pool: WorkerPool
  private var output: Tensor<E>

  init(_ inputs: BenchInputs<E>, on pool: WorkerPool) throws {
    self.inputs = inputs
    self.pool = pool
    mask = inputs.mask
    let shape = inputs.shape
    // NaN, so that what a kernel forgets to write is seen.
    output = Tensor(
      repeating: E(nearest: .nan), shape: [shape.batch, shape.queryHeads, shape.queries, shape.valueDim])
    let plan = try AttentionPlan(
      queries: inputs.queries, keys: inputs.keys, values: inputs.values, mask: mask, on: pool)
    guard plan.kernel == .gemm else {
      throw Unsuitable(reason: "the plan chose \(plan.kernel.rawValue)")
    }
  }

  var threads: Int { pool.threadCount }

  func run() throws {
    try scaledDotProductAttention(
      queries: inputs.queries, keys: inputs.keys, values: inputs.values, mask: mask, on: pool, into: &output)
  }

  func outputRow(_ row: RowIndex) -> [Double] {
    let (strides, count) = (output.strides, output.shape[3])
    let start = row.sequence * strides[0] + row.head * strides[1] + row.query * strides[2]
    return output.withUnsafePointer { base in
      (0..<count).map { base[start + $0 * strides[3]].doubleValue }
    }
  }

  func defect() -> String? {
    var count = 0
    output.forEachRow { row, length, stride in
      for index in 0..<length where !row[index * stride].doubleValue.isFinite { count += 1 }
    }
    return count == 0 ? nil : "\(count) of \(output.count) outputs are not finite"
  }
}
