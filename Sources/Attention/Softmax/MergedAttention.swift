import CAttentionKernels
import LinearAlgebra

/// Attention over several sets of keys, put together from the attention over each: `(y₁, lse₁) ⊕ (y₂, lse₂) ⊕ …`.
///
///     m   = max(lse₁, lse₂)                                           an empty result where m = −∞
///     lse = m + ln(e^(lse₁ − m) + e^(lse₂ − m))
///     y   = (y₁ · e^(lse₁ − m) + y₂ · e^(lse₂ − m)) / e^(lse − m)
///
/// For results that were computed apart: on other machines, at other times, over a cache that is kept elsewhere. Keys and values that
/// are all at hand need no merge: ``KeyValues/init(joining:)``. Parts merge in the order given, in the accumulation type, and are rounded
/// once; a part that saw nothing (log-sum-exp −∞) leaves no trace, whatever its output holds. Sinks belong to the whole, not to its
/// parts: leave them out, and scale the merged output by `1 / (1 + e^(sink − lse))`.
///
/// - Parameters:
///   - parts: outputs `[…, Dv]`, each with its log-sum-exp `[…]`, over disjoint keys; at least one, all of one shape.
///   - pool: the threads that work on it.
/// - Returns: output and log-sum-exp over all keys. Parts whose rows do not follow each other in memory are copied first.
/// - Throws: ``AttentionError`` where shapes differ or no part is given.
public func mergeAttention<Element: AttentionElement>(
  _ parts: [(output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>)], on pool: WorkerPool = .shared
) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
  guard let first = parts.first else { throw AttentionError("parts", "none given, expected at least one") }
  let shape = first.output.shape
  guard let width = shape.last else {
    throw AttentionError("parts", "an output without axes given, expected [..., Dv]")
  }
  let rowShape = Shape(Array(shape.dropLast()))
  for (index, part) in parts.enumerated() {
    guard part.output.shape == shape else {
      throw AttentionError(
        "parts", "output \(index) has shape \(part.output.shape), expected \(shape) as output 0")
    }
    guard part.logSumExp.shape == rowShape else {
      throw AttentionError(
        "parts",
        "log-sum-exp \(index) has shape \(part.logSumExp.shape), expected \(rowShape) for outputs \(shape)")
    }
  }
  var output: Tensor<Element> = try allocated(shape, for: "parts", shape)
  var logSumExp: Tensor<Element.Accumulator> = try allocated(rowShape, for: "parts", shape)
  var sources: [(output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>)] = []
  for part in parts { sources.append((try rowMajor(part.output), try rowMajor(part.logSumExp))) }
  output.withMutableView { output in
    logSumExp.withMutableView { logSumExp in
      let rows = rowShape.reduce(1, *)
      let parts = sources.map {
        (UnsafeRawPointer($0.output.unsafeBase), UnsafeRawPointer($0.logSumExp.unsafeBase))
      }
      let target = (UnsafeMutableRawPointer(output.base), UnsafeMutableRawPointer(logSumExp.base))
      switch AccumulatorType(Element.Accumulator.self) {
      case .float64: ResultMerge<Double>(StorageType(Element.self), width).run(parts, target, rows, on: pool)
      case .float32: ResultMerge<Float>(StorageType(Element.self), width).run(parts, target, rows, on: pool)
      }
    }
  }
  withExtendedLifetime(sources) {}
  return (output, logSumExp)
}

/// The tensor where its rows follow each other, else a copy; throws where there is no memory for that.
private func rowMajor<Element: TensorElement>(_ tensor: Tensor<Element>) throws(AttentionError) -> Tensor<
  Element
> {
  if tensor.isContiguous { return tensor }
  var copy: Tensor<Element> = try allocated(tensor.shape, for: "parts", tensor.shape)
  try copy.withMutableView { (view) throws(AttentionError) in try view.assign(from: tensor) }
  return copy
}

/// Rows of some 16 KiB at a time: a task is worth handing over, and its sum stays in the first-level cache.
private let elementsPerTask = 4096

/// Knows the type of results by its number alone: code that is generic over it as well would run unspecialised, and each row's few numbers would cost more than
/// its columns.
private struct ResultMerge<Scalar: AttentionAccumulator> {
  let load: RowKernels<Scalar>.Load
  let store: RowKernels<Scalar>.Store
  let elementSize: Int
  let width: Int
  let kernels: RowKernels<Scalar>

  init(_ type: StorageType, _ width: Int) {
    kernels = RowKernels(KernelVariant.best.kernels)
    load = kernels.load(type)
    store = kernels.store(type)
    elementSize = type.byteCount
    self.width = width
  }

  func run(
    _ parts: [(output: UnsafeRawPointer, logSumExp: UnsafeRawPointer)],
    _ target: (output: UnsafeMutableRawPointer, logSumExp: UnsafeMutableRawPointer), _ rows: Int,
    on pool: WorkerPool
  ) {
    let sources = parts.map {
      (output: $0.output, logSumExp: $0.logSumExp.assumingMemoryBound(to: Scalar.self))
    }
    let logSumExp = target.logSumExp.assumingMemoryBound(to: Scalar.self)
    let rowsPerTask = max(1, elementsPerTask / max(1, width))
    // Wide rows go in pieces: scratch does not grow with a caller's width.
    let piece = min(width, elementsPerTask)
    pool.run((rows + rowsPerTask - 1) / rowsPerTask) { task in
      ThreadScratch.withBytes(2 * piece * MemoryLayout<Scalar>.size) { memory in
        let sum = memory.baseAddress.map { $0.assumingMemoryBound(to: Scalar.self) }
        guard let sum else { return }
        for row in task * rowsPerTask..<min(rows, (task + 1) * rowsPerTask) {
          func state(_ part: Int) -> (maximum: Scalar, sum: Scalar) {
            let logSumExp = sources[part].logSumExp[row]
            return (logSumExp, logSumExp == -.infinity ? 0 : 1)
          }
          let merged = SoftmaxMerge<Scalar>(parts: sources.count, state)
          let share = merged.sum == 0 ? 0 : 1 / merged.sum
          for column in stride(from: 0, to: width, by: max(1, piece)) {
            let count = min(piece, width - column)
            let offset = (row * width + column) * elementSize
            sum.update(repeating: 0, count: count)
            for (part, source) in sources.enumerated() {
              let (maximum, weight) = state(part)
              guard let factor = merged.factor(maximum, weight) else { continue }
              load(sum + piece, source.output + offset, 1, count, 1)
              kernels.scaleAndAdd(sum, count, 1, sum + piece, factor)
            }
            _ = store(target.output + offset, 1, sum, count, Double(share))
          }
          logSumExp[row] = merged.logSumExp
        }
      }
    }
  }
}
