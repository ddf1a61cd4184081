import CAttentionKernels
import LinearAlgebra
import Parallelism

/// Attention that comes in over one set of keys after the other: ``mergeAttention(_:on:)`` where not all parts are there at once.
///
///     var running = try RunningAttention<Element>(rows: 4096, heads: 8, width: 64)
///     running.begin(4096)
///     for part in parts { running.add(part.output, part.logSumExp, at: 0, on: pool) }
///     running.end(sinks: nil, on: pool)
///     let (output, logSumExp) = running.results
///
/// What has come so far is kept in the accumulation type and rounded once, at the end. Parts merge in the order in which they are added,
/// so the order decides about the last bits. Where results are of another type, memory of rows that have ended goes back to the system, in pages of 2 MiB.
package struct RunningAttention<Element: AttentionElement>: Sendable {
  /// `[rows, heads, width]`
  private var output: Tensor<Element.Accumulator>
  /// `[heads, rows]`
  private var logSumExp: Tensor<Element.Accumulator>
  /// Rows that are done in the type of results; nil where that is the accumulation type, and `output` holds them.
  private var rounded: Tensor<Element>?
  private let shape: Shape
  /// The rows that are being computed; those before are done.
  private var open = 0..<0

  /// The attention of rows that are computed from the first on.
  ///
  /// - Throws: ``AttentionError`` where there is no memory for it.
  package init(rows: Int, heads: Int, width: Int) throws(AttentionError) {
    shape = [rows, heads, width]
    // A long output is fresh memory, whose pages the system gives when they are first written.
    output = try allocated(shape, for: "queries", shape)
    logSumExp = try allocated([heads, rows], for: "queries", shape)
    rounded = output is Tensor<Element> ? nil : try allocated(shape, for: "queries", shape)
  }

  /// Begins the next rows: they have seen no key yet.
  package mutating func begin(_ count: Int) {
    precondition(open.isEmpty, "\(open) have begun and not ended")
    precondition(count >= 0 && count <= shape[0] - open.upperBound, "\(count) rows after \(open) of \(shape)")
    open = open.upperBound..<open.upperBound + count
    let (rows, perRow, rowCount) = (open, shape[1] * shape[2], shape[0])
    output.withMutableView { view in
      (view.base + rows.lowerBound * perRow).update(repeating: 0, count: rows.count * perRow)
    }
    logSumExp.withMutableView { view in
      for head in 0..<shape[1] {
        (view.base + head * rowCount + rows.lowerBound).update(repeating: -.infinity, count: rows.count)
      }
    }
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
      first >= open.lowerBound && part.shape[0] <= open.upperBound - first,
      "\(part.shape[0]) rows at \(first), while \(open) are computed")
    let (numbers, sumNumbers) = (UnsafeRawPointer(part.unsafeBase), UnsafeRawPointer(sums.unsafeBase))
    change(
      first..<first + part.shape[0], .merge(numbers, sums: sumNumbers, StorageType(Part.self)), on: pool)
    withExtendedLifetime(part) { withExtendedLifetime(sums) {} }
  }

  /// What has come so far, not rounded: output `[rows, heads, width]` and log-sum-exp `[heads, rows]`. Of rows that are done, results alone remain.
  package var state: (output: Tensor<Element.Accumulator>, logSumExp: Tensor<Element.Accumulator>) {
    (output, logSumExp)
  }

  /// Ends the rows that are being computed: nothing may be added to them afterwards.
  ///
  /// - Parameter sinks: one a head; they count in the output and not in the log-sum-exp.
  package mutating func end(sinks: [Double]?, on pool: WorkerPool) {
    let rows = open
    open = rows.upperBound..<rows.upperBound
    if let sinks { change(rows, .weigh(against: sinks), on: pool) }
    guard var results = rounded.take() else { return }
    // Some rows at a time, whose memory goes back to the system: a long output is never there twice.
    let perStep = max(1, elementsPerStep / max(1, shape[1] * shape[2]))
    results.withMutableView { target in
      let base = UnsafeMutableRawPointer(target.base)
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: perStep) {
        let end = min(rows.upperBound, first + perStep)
        change(first..<end, .store(to: base, StorageType(Element.self)), on: pool)
        output.forget(first: end * shape[1] * shape[2])
      }
    }
    rounded = results
  }

  /// Output `[rows, heads, width]` and log-sum-exp `[heads, rows]` over all keys that came.
  package var results: (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    precondition(open.isEmpty && open.upperBound == shape[0], "results before all of \(shape) are computed")
    guard let whole = rounded ?? (output as? Tensor<Element>) else {
      preconditionFailure("results in \(Element.self) that nobody rounded")
    }
    return (whole, logSumExp)
  }

  /// Changes rows in tasks of some each, on the threads of a pool.
  private mutating func change(_ rows: Range<Int>, _ change: RowChange, on pool: WorkerPool) {
    let (heads, width, rowCount) = (shape[1], shape[2], shape[0])
    let perTask = max(1, elementsPerTask / max(1, heads * width))
    output.withMutableView { output in
      logSumExp.withMutableView { sums in
        let (output, sums) = (UnsafeMutableRawPointer(output.base), UnsafeMutableRawPointer(sums.base))
        pool.run((rows.count + perTask - 1) / perTask) { task in
          let first = rows.lowerBound + task * perTask
          let range = first..<min(rows.upperBound, first + perTask)
          let place = RowPlace(
            rows: range, offset: rows.lowerBound, partRows: rows.count, allRows: rowCount, heads: heads,
            width: width)
          switch AccumulatorType(Element.Accumulator.self) {
          case .float32: RunningRows<Float>(place, output, sums).apply(change)
          case .float64: RunningRows<Double>(place, output, sums).apply(change)
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
