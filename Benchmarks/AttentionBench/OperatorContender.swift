import Attention
import BenchmarkKit
import Parallelism

/// The library's operator: as its users call it, or with a kernel forced on it.
final class OperatorContender<E: BenchElement>: AttentionContender {
  let plan: String?
  let sample: PairSample? = nil
  let tolerance: KeyPath<Tolerances, Double> = \.forKernels

  private let kernel: BenchKernel
  private let inputs: BenchInputs<E>
  private let attention: ScaledDotProductAttention
  // Made once, as a program does that keeps them: making both takes some 0.1 µs.
  private let queries: Queries<E>
  private let keyValues: KeyValues
  private(set) var output: Tensor<E>

  /// Calls it once: only that tells whether a forced kernel can compute this problem.
  ///
  /// - Throws: ``Unsuitable`` where a forced one cannot; where the library refuses the problem.
  init(_ inputs: BenchInputs<E>, _ kernel: BenchKernel, on pool: WorkerPool) throws {
    self.inputs = inputs
    self.kernel = kernel
    attention = inputs.attention(on: pool)
    queries = inputs.sequencedQueries
    keyValues = inputs.keyValues
    output = inputs.unwrittenOutput()
    plan = kernel.forced == nil ? try inputs.plan(on: pool).kernel.rawValue : nil
    do {
      try run()
    } catch let error as AttentionError where error.argument == "kernel" {
      throw Unsuitable(reason: error.reason)
    }
  }

  var name: String { kernel.rawValue }

  func timed() -> Contender { Contender(name: name) { try self.run() } }

  func finish() {}

  private func run() throws {
    try output.withMutableView { (output) throws(AttentionError) in
      if let forced = kernel.forced {
        try attention.write(queries, keyValues, forcing: ForcedVariant(forced), to: output)
      } else {
        try attention.write(queries, keyValues, to: output)
      }
    }
  }

  func outputRow(_ row: RowIndex) -> [Double] {
    inputs.outputRow(row, of: output)
  }

  func defect() -> String? { output.defect }
}

extension Tensor {
  /// How many elements are not finite, in words; nil where all are.
  var defect: String? {
    var strange = 0
    forEachRow { row, length, stride in
      for index in 0..<length where !row[index * stride].doubleValue.isFinite { strange += 1 }
    }
    return strange == 0 ? nil : "\(strange) of \(count) outputs are not finite"
  }
}
