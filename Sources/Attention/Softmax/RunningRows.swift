import CAttentionKernels
import LinearAlgebra
import Parallelism

/// What happens to rows of a ``RunningAttention``.
enum RowChange {
  /// Attention over other keys is added: output `[count, heads, width]` of this type, and log-sum-exps `[heads, count]` in the accumulation type.
  case merge(UnsafeRawPointer, sums: UnsafeRawPointer, StorageType)
  /// A sink of each head takes its share of the weights.
  case weigh(against: [Double])
  /// Outputs are rounded to this type, into memory for all rows.
  case store(to: UnsafeMutableRawPointer, StorageType)
}

/// Which rows of a ``RunningAttention`` a task changes.
struct RowPlace {
  let rows: Range<Int>
  /// The first row of the part.
  let offset: Int
  let partRows: Int
  let allRows: Int
  let heads: Int
  let width: Int
}

/// Rows of a ``RunningAttention`` in its accumulation type.
///
/// Called by its own name and not through a protocol: a generic type's witnesses run without being specialised, and each row's few numbers would cost more than
/// its columns.
struct RunningRows<Scalar: AttentionAccumulator> {
  private let place: RowPlace
  private let output: UnsafeMutablePointer<Scalar>
  private let logSumExp: UnsafeMutablePointer<Scalar>
  private let kernels = RowKernels<Scalar>(KernelVariant.best.kernels)

  init(_ place: RowPlace, _ output: UnsafeMutableRawPointer, _ logSumExp: UnsafeMutableRawPointer) {
    self.place = place
    self.output = output.assumingMemoryBound(to: Scalar.self)
    self.logSumExp = logSumExp.assumingMemoryBound(to: Scalar.self)
  }

  func apply(_ change: RowChange) {
    switch change {
    case .merge(let part, let sums, let type): merge(part, sums, type)
    case .weigh(let sinks): weigh(against: sinks)
    case .store(let target, let type): store(to: target, type)
    }
  }

  private func forEachRow(
    _ body: (
      _ row: Int, _ head: Int, _ output: UnsafeMutablePointer<Scalar>, _ sum: UnsafeMutablePointer<Scalar>
    ) -> Void
  ) {
    for row in place.rows {
      for head in 0..<place.heads {
        body(
          row, head, output + (row * place.heads + head) * place.width,
          logSumExp + head * place.allRows + row)
      }
    }
  }

  private func merge(_ part: UnsafeRawPointer, _ sums: UnsafeRawPointer, _ type: StorageType) {
    let load = kernels.load(type)
    let sums = sums.assumingMemoryBound(to: Scalar.self)
    // Wide rows go in pieces: scratch does not grow with a caller's width.
    let piece = max(1, min(place.width, 4096))
    ThreadScratch.withBytes(piece * MemoryLayout<Scalar>.size) { memory in
      guard let loaded = memory.baseAddress?.assumingMemoryBound(to: Scalar.self) else { return }
      forEachRow { row, head, output, sum in
        let index = row - place.offset
        let states = (sum.pointee, sums[head * place.partRows + index])
        // What saw nothing leaves no trace, whatever its output holds.
        if states.1 == -.infinity { return }
        let weight: Scalar = states.0 == -.infinity ? 0 : 1
        let merged = SoftmaxMerge<Scalar>(parts: 2) { $0 == 0 ? (states.0, weight) : (states.1, 1) }
        let share = 1 / merged.sum
        let factors = (
          merged.factor(states.0, weight).map { $0 * share } ?? 0,
          merged.factor(states.1, 1).map { $0 * share } ?? 0
        )
        for column in stride(from: 0, to: place.width, by: piece) {
          let count = min(piece, place.width - column)
          let source = part + ((index * place.heads + head) * place.width + column) * type.byteCount
          load(loaded, source, 1, count, 1)
          kernels.scaleAndAdd(output + column, count, factors.0, loaded, factors.1)
        }
        sum.pointee = merged.logSumExp
      }
    }
  }

  private func weigh(against sinks: [Double]) {
    forEachRow { _, head, output, sum in
      let factor = 1 / (1 + Scalar.exponential(Scalar(sinks[head]) - sum.pointee))
      if sum.pointee == -.infinity { return }
      for column in 0..<place.width { output[column] *= factor }
    }
  }

  private func store(to target: UnsafeMutableRawPointer, _ type: StorageType) {
    let store = kernels.store(type)
    forEachRow { row, head, output, _ in
      _ = store(
        target + (row * place.heads + head) * place.width * type.byteCount, 1, output, place.width, 1)
    }
  }
}
