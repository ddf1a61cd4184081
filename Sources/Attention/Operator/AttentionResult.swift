import CAttentionKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where a problem's results go: strided memory of the right shapes, checked by whoever makes this.
struct AttentionResult {
  private let output: StridedOperand
  private let outputBase: UnsafeMutableRawPointer
  private let logSumExp: RowNumbers?
  /// Which sum of weights a log-sum-exp is the logarithm of.
  private let sum: SumOfWeights

  /// Results `[B, Hq, Tq, Dv]` and `[B, Hq, Tq]`, or `[total, Hq, Dv]` and `[Hq, total]` where sequences are packed.
  init<Element: AttentionElement>(
    _ output: MutableTensorView<Element>, logSumExp: MutableTensorView<Element.Accumulator>? = nil,
    of sum: SumOfWeights = .exact
  ) {
    self.sum = sum
    let isPacked = output.shape.count == 3
    self.outputBase = UnsafeMutableRawPointer(output.base)
    self.output = StridedOperand(
      UnsafeRawPointer(output.base), StorageType(Element.self), output.strides, isPacked ? .packed : .batched)
    self.logSumExp = logSumExp.map { view in
      RowNumbers(
        UnsafeMutableRawPointer(view.base), AccumulatorType(Element.Accumulator.self), view.strides,
        isPacked: isPacked)
    }
  }

  /// The same for memory of the caller's.
  ///
  /// - Throws: ``AttentionError`` where shapes are not those of the results, or elements might share a place.
  init<Element: AttentionElement>(
    _ output: MutableTensorView<Element>, logSumExp: MutableTensorView<Element.Accumulator>?,
    of sum: SumOfWeights = .exact, checkedFor layout: CallLayout
  ) throws(AttentionError) {
    try check(output.shape, is: layout.outputShape, named: "output")
    try checkDistinct(output.shape, output.strides, named: "output")
    if let logSumExp {
      try check(logSumExp.shape, is: layout.logSumExpShape, named: "logSumExp")
      try checkDistinct(logSumExp.shape, logSumExp.strides, named: "logSumExp")
    }
    self.init(output, logSumExp: logSumExp, of: sum)
  }

  /// Whether a log-sum-exp of each row was asked for.
  var wantsLogSumExp: Bool { logSumExp != nil }

  /// The sum of weights that a kernel has to keep for log-sum-exps; nil where none was asked for.
  var sumForLogSumExp: SumOfWeights? { wantsLogSumExp ? sum : nil }

  /// Query 0 of a head, and the distances in bytes from query to query and from head to head.
  func rows(_ sequence: Int, _ head: Int) -> (base: UnsafeMutableRawPointer, query: Int, head: Int) {
    (
      outputBase + output.byteOffset(sequence, head, 0), output.byteStrides.row, output.byteStrides.head
    )
  }

  /// The distance in elements between neighbours of an output row.
  var columnStride: Int { output.columnStride }

  /// The address of an output row.
  func row(_ index: RowIndex) -> UnsafeMutableRawPointer {
    outputBase + output.byteOffset(index.sequence, index.head, index.row)
  }

  /// Prefetches an output row for writing; not where columns are not neighbours.
  func prefetch(_ index: RowIndex, columns: Int) {
    let size = output.type.byteCount
    if output.byteStrides.column == size {
      CAttentionKernels_prefetch_for_writing(row(index), columns * size)
    }
  }

  /// Writes a row's log-sum-exp where it was asked for.
  func setLogSumExp<Scalar: AttentionAccumulator>(_ value: @autoclosure () -> Scalar, _ index: RowIndex) {
    guard let logSumExp else { return }
    logSumExp.set(value(), index)
  }
}

/// A sum of the weights of a row, whose logarithm is a log-sum-exp.
enum SumOfWeights {
  /// Of the weights as the softmax defines them.
  case exact
  /// Of the weights that multiplied the values: what the output was divided by. They are the exact ones but where a kernel rounds them to
  /// bfloat16, which changes each by less than 2⁻⁸ of itself.
  case asMultiplied
}

/// A number for each row of a problem in strided memory: `[B, Hq, Tq]`, or `[Hq, total]` where sequences are packed.
struct RowNumbers {
  private let base: UnsafeMutableRawPointer
  private let type: AccumulatorType
  private let byteStrides: (sequence: Int, head: Int, row: Int)

  init(_ base: UnsafeMutableRawPointer, _ type: AccumulatorType, _ strides: Strides, isPacked: Bool) {
    (self.base, self.type) = (base, type)
    let size = type.storage.byteCount
    byteStrides =
      isPacked
      ? (0, strides[0] &* size, strides[1] &* size)
      : (strides[0] &* size, strides[1] &* size, strides[2] &* size)
  }

  init(ofFloats view: MutableTensorView<Float>) {
    self.init(
      UnsafeMutableRawPointer(view.base), .float32, view.strides, isPacked: view.shape.count == 2)
  }

  func set<Scalar: AttentionAccumulator>(_ value: Scalar, _ index: RowIndex) {
    let target =
      base
      + (index.sequence &* byteStrides.sequence &+ index.head &* byteStrides.head
        &+ index.row &* byteStrides.row)
    switch type {
    case .float64: target.assumingMemoryBound(to: Double.self).pointee = Double(value)
    case .float32: target.assumingMemoryBound(to: Float.self).pointee = Float(value)
    }
  }
}

extension AttentionResult {
  /// Writes the results of queries that are no sequence's: output 0, log-sum-exp −∞.
  func clear(_ padding: PaddedRows, _ sizes: AttentionSizes) {
    let size = output.type.byteCount
    for head in 0..<sizes.queryHeads {
      for row in padding.rows {
        let index = RowIndex(sequence: padding.sequence, head: head, query: row, row: row)
        // All bits 0 is 0 in every type.
        if output.byteStrides.column == size {
          memset(self.row(index), 0, sizes.valueDimension * size)
        } else {
          for column in 0..<sizes.valueDimension {
            memset(self.row(index) + column &* output.byteStrides.column, 0, size)
          }
        }
        setLogSumExp(-Float.infinity, index)
      }
    }
  }
}
