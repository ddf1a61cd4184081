import Attention
import AttentionReference
import BenchmarkKit
import Foundation

/// How far kernels are from the Float64 oracle, by shape, element type, kernel and the size of the logits.
///
/// Queries and keys are normal with a standard deviation of `√factor`, so that logits have a standard deviation of `factor`: at 1 the softmax averages
/// many values, at 1e5 it picks one, and what a score is off shows in which.
struct KernelAccuracy {
  static let factors = [1, 10, 100, 1e3, 1e4, 1e5]

  static let header = ["shape", "type", "logits", "naive"] + kernels.map(\.rawValue)

  private static let kernels: [BenchKernel] = [.gemm, .fused, .decode, .chosen]

  /// A prompt, few queries over many keys, wide heads, and sizes that fill no vector.
  private static let shapes = [
    ShapeRecord(
      name: "prompt", queries: [1, 4, 96, 64], keys: [1, 4, 512, 64], values: [1, 4, 512, 64],
      why: "many queries"),
    ShapeRecord(
      name: "decode", queries: [1, 8, 1, 128], keys: [1, 2, 4096, 128], values: [1, 2, 4096, 128],
      why: "one query, keys in parts"),
    ShapeRecord(
      name: "wide", queries: [1, 2, 33, 256], keys: [1, 1, 300, 256], values: [1, 1, 300, 256],
      why: "long dot products"),
    ShapeRecord(
      name: "odd", queries: [1, 3, 7, 5], keys: [1, 3, 19, 5], values: [1, 3, 19, 3],
      why: "remainders everywhere"),
  ]

  let pool: WorkerPool
  let peers: [Peer]

  /// A line for each shape, type and factor: the largest error of each.
  ///
  /// - Throws: where a problem cannot be made.
  func rows() throws -> [[String]] {
    var rows: [[String]] = []
    for record in Self.shapes {
      let shape = try BenchmarkShape(record)
      for type in BenchType.allCases {
        for factor in Self.factors where !Interruption.isRequested {
          rows.append(
            [shape.name, type.rawValue, factor < 1000 ? "\(Int(factor))" : "1e\("\(Int(factor))".count - 1)"]
              + (try errors(shape, type.element, factor)))
        }
      }
    }
    return rows
  }

  private func errors<E: BenchElement>(
    _ shape: BenchmarkShape, _: E.Type, _ factor: Double
  ) throws -> [String] {
    let inputs = BenchInputs<E>(
      try BenchInputs<E>(random: shape, seed: 1), queriesAndKeysTimes: factor.squareRoot())
    // All rows of these shapes: a largest error of few is luck.
    let sample = Check.sampleRows(of: shape, maximum: 400, work: .max)
    let exact = sample.map(inputs.oracleRow)
    func error(_ row: (RowIndex) -> [Double]) -> String {
      let largest = zip(sample, exact).map { Deviation(row($0), from: $1).largest }
      return text(largest.contains(where: \.isNaN) ? .nan : largest.max() ?? 0)
    }
    let naive = naiveAttention(queries: inputs.queries, keys: inputs.keys, values: inputs.values)
    var cells = [error { inputs.outputRow($0, of: naive) }]
    for kernel in Self.kernels {
      do {
        cells.append(error(try OperatorContender(inputs, kernel, on: pool).outputRow))
      } catch is Unsuitable {
        cells.append("—")
      }
    }
    for peer in peers {
      do {
        let contender = try peer.contender(inputs)
        try contender.finish()
        cells.append(error(contender.outputRow))
      } catch is Unsuitable {
        cells.append("—")
      }
    }
    return cells
  }

  private func text(_ error: Double) -> String { error == 0 ? "0" : String(format: "%.1e", error) }
}

extension BenchInputs {
  /// The same problem with larger logits.
  fileprivate init(_ other: BenchInputs<E>, queriesAndKeysTimes factor: Double) {
    func scaled(_ tensor: Tensor<E>) -> Tensor<E> {
      Tensor(unsafeUninitializedShape: tensor.shape) { target in
        for (index, number) in tensor.elements.enumerated() {
          target.initializeElement(at: index, to: E(nearest: number.doubleValue * factor))
        }
      }
    }
    shape = other.shape
    queries = scaled(other.queries)
    keys = scaled(other.keys)
    values = other.values
  }
}
