import CAttentionKernels

/// Where a problem's results go: strided memory of the right shapes, checked by whoever makes this.
struct AttentionResult {
  private let output: StridedOperand
  private let outputBase: UnsafeMutableRawPointer
  private let logSumExp: (base: UnsafeMutableRawPointer, byteStrides: (Int, Int, Int))?

  init<Element: AttentionElement>(
    output: MutableTensorView<Element>, logSumExp: MutableTensorView<Element.Accumulator>? = nil
  ) {
    self.output = StridedOperand(output)
    self.outputBase = UnsafeMutableRawPointer(output.base)
    self.logSumExp = logSumExp.map { view in
      let size = Element.Accumulator.elementType.byteCount
      let strides = view.strides
      return (
        UnsafeMutableRawPointer(view.base),
        (strides[0] &* size, strides[1] &* size, strides[2] &* size)
      )
    }
  }

  /// The distance in elements between neighbours of an output row.
  var columnStride: Int { output.byteStrides.column / output.elementType.byteCount }

  /// The address of an output row.
  func row(_ sequence: Int, _ head: Int, _ query: Int) -> UnsafeMutableRawPointer {
    outputBase + output.byteOffset(sequence, head, query)
  }

  /// Asks for an output row to be in cache before it is written; where columns are not neighbours it is not worth the while.
  func prefetch(_ index: RowIndex, columns: Int) {
    let size = output.elementType.byteCount
    if output.byteStrides.column == size {
      CAttentionKernels_prefetch_for_writing(row(index.sequence, index.head, index.query), columns * size)
    }
  }

  /// Writes a row's log-sum-exp where it was asked for.
  func setLogSumExp<Scalar>(_ value: @autoclosure () -> Scalar, _ index: RowIndex) {
    guard let (base, strides) = logSumExp else { return }
    let position =
      index.sequence &* strides.0 &+ index.head &* strides.1 &+ index.query &* strides.2
    (base + position).assumingMemoryBound(to: Scalar.self).pointee = value()
  }
}
