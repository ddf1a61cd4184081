import Attention
import BenchmarkKit

/// Compares the outputs with the oracle on sampled rows, and with the file's own answer on all rows where it has one.
func check<E: BenchElement>(
  _ entries: [(row: Int, contender: any AttentionContender)], _ inputs: BenchInputs<E>,
  _ rows: inout [ResultRow]
) {
  if entries.isEmpty { return }
  let sample = Check.sampleRows(of: inputs.shape)
  let reference = sample.map(inputs.oracleRow)
  let tolerance = Tolerances(inputs, sample, reference)
  for (index, contender) in entries where rows[index].status == .ok {
    let check = Check(
      rows: sample, reference: reference, tolerance: tolerance[keyPath: contender.tolerance],
      output: contender.outputRow)
    rows[index].maxError = check.maxError
    rows[index].tolerance = check.tolerance
    if let failure = contender.defect() ?? check.failure ?? fileMismatch(contender, inputs) {
      rows[index].status = .failed(failure)
    }
  }
}

private func fileMismatch<E>(_ contender: any AttentionContender, _ inputs: BenchInputs<E>) -> String? {
  guard let expected = inputs.expected else { return nil }
  let shape = inputs.shape
  let (relative, absolute) = E.fileTolerance
  for sequence in 0..<shape.sizes.batch {
    for head in 0..<shape.sizes.queryHeads {
      for query in 0..<shape.sizes.queries {
        let output = contender.outputRow(RowIndex(sequence: sequence, head: head, query: query))
        for (column, value) in output.enumerated() {
          let right = expected[sequence, head, query, column].doubleValue
          // Written so that NaN is a mismatch.
          guard abs(value - right) <= absolute + relative * abs(right) else {
            return "\(value) at [\(sequence), \(head), \(query), \(column)], the file expects \(right)"
          }
        }
      }
    }
  }
  return nil
}

/// How far outputs may be from the oracle.
struct Tolerances {
  /// The contract's: 2e-6 for Float32 inputs of variance 1, else twice the naive kernel's error on the same rows plus 1e-5.
  let forKernels: Double
  /// Judging the naive kernel by its own error would accept anything.
  let forNaive: Double
  /// Other engines promise nothing, and are held to what their arithmetic can give.
  ///
  /// f32 and f64: ten times what is asked of our kernels. Other engines add products in other orders and have other exponentials: with
  /// `u` the unit roundoff, a score's error is about `√D · u` of the product of its vectors' lengths, 8e-6 at `D = 128` where
  /// the lengths are `√D`, and all weights together are as exact; measured was up to 1e-6. A key too many among 32768 changes an
  /// output by 3e-5 and more.
  ///
  /// f16 and bf16: `8 · u` of the largest output looked at. Engines round weights to the type (`u` of each), some the scores as well (`u`
  /// of a score of up to 5, in the exponent) and all the output.
  let forPeers: Double

  init<E: BenchElement>(_ inputs: BenchInputs<E>, _ sample: [RowIndex], _ reference: [[Double]]) {
    let largest = reference.joined().reduce(0) { max($0, $1.magnitude) }
    let isNarrow = E.unitRoundoff > Float.unitRoundoff
    if E.benchType == .f32 && inputs.hasUnitVariance {
      forKernels = 2e-6
      forNaive = 2e-6
    } else {
      let naive = Check(rows: sample, reference: reference, tolerance: .infinity, output: inputs.naiveRow)
      forKernels = 2 * (naive.maxError ?? 0) + 1e-5
      // Its weights and its output are rounded once each, and outputs of these inputs stay below 32.
      forNaive = 1e-5 + 64 * E.unitRoundoff
    }
    forPeers = isNarrow ? 8 * E.unitRoundoff * largest : 10 * forKernels
  }
}
