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
  private let logSumExp: LogSumExps?

  private struct LogSumExps {
    let base: UnsafeMutableRawPointer
    let elementType: ElementType
    let byteStrides: (sequence: Int, head: Int, row: Int)
  }

  /// Results `[B, Hq, Tq, Dv]` and `[B, Hq, Tq]`, or `[total, Hq, Dv]` and `[Hq, total]` where sequences are packed.
  init<Element: AttentionElement>(
    output: MutableTensorView<Element>, logSumExp: MutableTensorView<Element.Accumulator>? = nil
  ) {
    let strides = output.strides
    let isPacked = output.shape.count == 3
    self.outputBase = UnsafeMutableRawPointer(output.base)
    self.output =
      isPacked
      ? StridedOperand(
        UnsafeRawPointer(output.base), Element.elementType, head: strides[1], row: strides[0],
        column: strides[2])
      : StridedOperand(output)
    self.logSumExp = logSumExp.map { view in
      let type = Element.Accumulator.elementType
      let (size, strides) = (type.byteCount, view.strides)
      return LogSumExps(
        base: UnsafeMutableRawPointer(view.base), elementType: type,
        byteStrides: isPacked
          ? (0, strides[0] &* size, strides[1] &* size)
          : (strides[0] &* size, strides[1] &* size, strides[2] &* size))
    }
  }

  /// Whether a log-sum-exp of each row was asked for.
  var wantsLogSumExp: Bool { logSumExp != nil }

  /// Query 0 of a head, and the distances in bytes from query to query and from head to head.
  func rows(_ sequence: Int, _ head: Int) -> (base: UnsafeMutableRawPointer, query: Int, head: Int) {
    (outputBase + output.byteOffset(sequence, head, 0), output.byteStrides.row, output.byteStrides.head)
  }

  /// The distance in elements between neighbours of an output row.
  var columnStride: Int { output.byteStrides.column / output.elementType.byteCount }

  /// The address of an output row.
  func row(_ index: RowIndex) -> UnsafeMutableRawPointer {
    outputBase + output.byteOffset(index.sequence, index.head, index.row)
  }

  /// Asks for an output row to be in cache before it is written; where columns are not neighbours it is not worth the while.
  func prefetch(_ index: RowIndex, columns: Int) {
    let size = output.elementType.byteCount
    if output.byteStrides.column == size {
      CAttentionKernels_prefetch_for_writing(row(index), columns * size)
    }
  }

  /// Writes a row's log-sum-exp where it was asked for.
  func setLogSumExp<Scalar: AttentionAccumulator>(_ value: @autoclosure () -> Scalar, _ index: RowIndex) {
    guard let logSumExp else { return }
    let strides = logSumExp.byteStrides
    let target =
      logSumExp.base
      + (index.sequence &* strides.sequence &+ index.head &* strides.head &+ index.row &* strides.row)
    switch logSumExp.elementType {
    case .float64: target.assumingMemoryBound(to: Double.self).pointee = Double(value())
    default: target.assumingMemoryBound(to: Float.self).pointee = Float(value())
    }
  }
}

extension AttentionResult {
  /// Writes the results of queries that are no sequence's: output 0, log-sum-exp −∞.
  func clear(_ rows: Range<Int>, sequence: Int, _ sizes: AttentionSizes) {
    for head in 0..<sizes.queryHeads {
      for row in rows {
        let index = RowIndex(sequence: sequence, head: head, query: row, row: row)
        // All bits 0 is 0 in every type.
        if output.byteStrides.column == output.elementType.byteCount {
          memset(self.row(index), 0, sizes.valueDimension * output.elementType.byteCount)
        } else {
          for column in 0..<sizes.valueDimension {
            memset(self.row(index) + column &* output.byteStrides.column, 0, output.elementType.byteCount)
          }
        }
        setLogSumExp(-Float.infinity, index)
      }
    }
  }
}
