import Attention
import BenchmarkKit
import Parallelism

/// The library's own operator.
final class GEMMContender<E: BenchElement>: AttentionContender {
  let kernel = BenchKernel.gemm
  let knownSeconds: Double? = nil
  let sample: PairSample? = nil

  private let inputs: BenchInputs<E>
  private let mask: AttentionMask
  private let pool: WorkerPool
  private var output: Tensor<E>

  init(_ inputs: BenchInputs<E>, on pool: WorkerPool) throws {
    self.inputs = inputs
    self.pool = pool
    mask = inputs.mask
    output = inputs.unwrittenOutput()
    let plan = try inputs.plan(on: pool)
    guard plan.kernel == .gemm else {
      throw Unsuitable(reason: "the plan chose \(plan.kernel.rawValue)")
    }
  }

  var threads: Int { pool.threadCount }

  func run() throws { try inputs.attend(into: &output, mask, on: pool) }

  func outputRow(_ row: RowIndex) -> [Double] {
    inputs.sequence(row.sequence, of: output).selected(axis: 0, 0).selected(axis: 0, row.head)
      .selected(axis: 0, row.query).elements.map(\.doubleValue)
  }

  func defect() -> String? {
    var count = 0
    output.forEachRow { row, length, stride in
      for index in 0..<length where !row[index * stride].doubleValue.isFinite { count += 1 }
    }
    return count == 0 ? nil : "\(count) of \(output.count) outputs are not finite"
  }
}
