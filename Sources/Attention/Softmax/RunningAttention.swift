import CAttentionKernels
import LinearAlgebra
import Parallelism

/// Attention that comes in over one set of keys after the other: ``mergeAttention(_:on:)`` where not all parts are there at once.
///
///     var running = try RunningAttention<Element>(rows: 4096, heads: 8, width: 64)
///     for part in parts { running.add(part.output, part.logSumExp, at: 0) }
///     let (output, logSumExp) = try running.finish(sinks: nil)
///
/// What has come so far is kept in the accumulation type and rounded once, at the end. Parts merge in the order in which they are added,
/// so the order decides about the last bits.
package struct RunningAttention<Element: AttentionElement>: Sendable {
  /// `[rows, heads, width]`
  private var output: Tensor<Element.Accumulator>
  /// `[heads, rows]`
  private var logSumExp: Tensor<Element.Accumulator>
  private let shape: Shape

  /// The attention of rows that have seen no key yet.
  ///
  /// - Throws: ``AttentionError`` where there is no memory for it.
  package init(rows: Int, heads: Int, width: Int) throws(AttentionError) {
    shape = [rows, heads, width]
    output = try allocated(shape, for: "queries", shape)
    logSumExp = try allocated([heads, rows], for: "queries", shape)
    output.withMutableView { view in view.base.update(repeating: 0, count: rows * heads * width) }
    logSumExp.withMutableView { view in view.base.update(repeating: -.infinity, count: heads * rows) }
  }

  /// Merges attention over other keys into the rows from `first` on.
  ///
  /// - Parameters:
  ///   - part: `[count, heads, width]`, row-major, in the type of results or in the accumulation type.
  ///   - sums: its log-sum-exps `[heads, count]`, row-major.
  package mutating func add<Part: AttentionElement>(
    _ part: Tensor<Part>, _ sums: Tensor<Element.Accumulator>, at first: Int, on pool: WorkerPool
  ) {
    precondition(
      part.isContiguous && sums.isContiguous && part.shape[1] == shape[1] && part.shape[2] == shape[2])
    precondition(
      first >= 0 && part.shape[0] <= shape[0] - first, "\(part.shape[0]) rows at \(first) of \(shape)")
    change(first..<first + part.shape[0], on: pool) { rows in
      rows.merge(UnsafeRawPointer(part.unsafeBase), UnsafeRawPointer(sums.unsafeBase), StorageType(Part.self))
    }
    withExtendedLifetime(part) { withExtendedLifetime(sums) {} }
  }

  /// What has come so far, not rounded: output `[rows, heads, width]` and log-sum-exp `[heads, rows]`.
  package var state: (output: Tensor<Element.Accumulator>, logSumExp: Tensor<Element.Accumulator>) {
    (output, logSumExp)
  }

  /// Output `[rows, heads, width]` and log-sum-exp `[heads, rows]` over all keys that came. Nothing may be added or asked for afterwards: the memory of
  /// what came has gone where the results are in another type, and the sinks are in it.
  ///
  /// - Parameter sinks: one a head; they count in the output and not in the log-sum-exp.
  /// - Throws: ``AttentionError`` where there is no memory for results of another type than the accumulation's.
  package mutating func finish(
    sinks: [Double]?, on pool: WorkerPool
  ) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    if let sinks { change(0..<shape[0], on: pool) { $0.weigh(against: sinks) } }
    if let whole = output as? Tensor<Element> { return (whole, logSumExp) }
    var rounded: Tensor<Element> = try allocated(shape, for: "queries", shape)
    // Some rows at a time, whose memory goes back to the system: a long output is never there twice.
    let perStep = max(1, elementsPerStep / max(1, shape[1] * shape[2]))
    rounded.withMutableView { target in
      let base = UnsafeMutableRawPointer(target.base)
      for first in stride(from: 0, to: shape[0], by: perStep) {
        let end = min(shape[0], first + perStep)
        change(first..<end, on: pool) { $0.store(to: base, StorageType(Element.self)) }
        output.forget(first: end * shape[1] * shape[2])
      }
    }
    return (rounded, logSumExp)
  }

  /// Calls `body` for tasks of some rows each, on the threads of a pool.
  private mutating func change(
    _ rows: Range<Int>, on pool: WorkerPool, _ body: (any RunningRows) -> Void
  ) {
    let (heads, width, rowCount) = (shape[1], shape[2], shape[0])
    let perTask = max(1, elementsPerTask / max(1, heads * width))
    output.withMutableView { output in
      logSumExp.withMutableView { sums in
        let (output, sums) = (UnsafeMutableRawPointer(output.base), UnsafeMutableRawPointer(sums.base))
        pool.run((rows.count + perTask - 1) / perTask) { task in
          let first = rows.lowerBound + task * perTask
          let range = first..<min(rows.upperBound, first + perTask)
          let place = RowsPlace(
            rows: range, offset: rows.lowerBound, partRows: rows.count, allRows: rowCount, heads: heads,
            width: width)
          switch AccumulatorType(Element.Accumulator.self) {
          case .float32: body(RunningRowsOf<Float>(place, output, sums))
          case .float64: body(RunningRowsOf<Double>(place, output, sums))
          }
        }
      }
    }
  }
}

/// Some 64 KiB of sums a task: worth handing over, and no more than a second-level cache holds beside the part.
private let elementsPerTask = 16_384

/// 8 MiB of sums that are rounded between two times that memory is given back, which takes microseconds.
private let elementsPerStep = 2 << 20

private struct RowsPlace {
  let rows: Range<Int>
  /// The first row of the part.
  let offset: Int
  let partRows: Int
  let allRows: Int
  let heads: Int
  let width: Int
}

/// Rows of a running attention in its accumulation type.
private protocol RunningRows {
  func merge(_ part: UnsafeRawPointer, _ sums: UnsafeRawPointer, _ type: StorageType)
  func weigh(against sinks: [Double])
  func store(to target: UnsafeMutableRawPointer, _ type: StorageType)
}

private struct RunningRowsOf<Scalar: AttentionAccumulator>: RunningRows {
  let place: RowsPlace
  let output: UnsafeMutablePointer<Scalar>
  let logSumExp: UnsafeMutablePointer<Scalar>
  let kernels = RowKernels<Scalar>(KernelVariant.best.kernels)

  init(_ place: RowsPlace, _ output: UnsafeMutableRawPointer, _ logSumExp: UnsafeMutableRawPointer) {
    self.place = place
    self.output = output.assumingMemoryBound(to: Scalar.self)
    self.logSumExp = logSumExp.assumingMemoryBound(to: Scalar.self)
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

  func merge(_ part: UnsafeRawPointer, _ sums: UnsafeRawPointer, _ type: StorageType) {
    let load = kernels.load(type)
    let sums = sums.assumingMemoryBound(to: Scalar.self)
    // Wide rows go in pieces: scratch does not grow with a caller's width.
    let piece = max(1, min(place.width, 4096))
    ThreadScratch.withBytes(piece * MemoryLayout<Scalar>.size) { memory in
      guard let loaded = memory.baseAddress?.assumingMemoryBound(to: Scalar.self) else { return }
      forEachRow { row, head, output, sum in
        let index = row - place.offset
        let states = (sum.pointee, sums[head * place.partRows + index])
        func state(_ which: Int) -> (maximum: Scalar, sum: Scalar) {
          let value = which == 0 ? states.0 : states.1
          return (value, value == -.infinity ? 0 : 1)
        }
        // What saw nothing leaves no trace, whatever its output holds.
        if states.1 == -.infinity { return }
        let merged = SoftmaxMerge<Scalar>(parts: 2, state)
        let share = 1 / merged.sum
        let factors = (
          merged.factor(states.0, state(0).sum).map { $0 * share } ?? 0,
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

  func weigh(against sinks: [Double]) {
    forEachRow { _, head, output, sum in
      let factor = 1 / (1 + Scalar.exponential(Scalar(sinks[head]) - sum.pointee))
      if sum.pointee == -.infinity { return }
      for column in 0..<place.width { output[column] *= factor }
    }
  }

  func store(to target: UnsafeMutableRawPointer, _ type: StorageType) {
    let store = kernels.store(type)
    forEachRow { row, head, output, _ in
      _ = store(
        target + (row * place.heads + head) * place.width * type.byteCount, 1, output, place.width, 1)
    }
  }
}
