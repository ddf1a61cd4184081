import CAttentionKernels

/// What a mask does to scores beyond ranges: tensors that are added and tensors that hide.
struct ScoreMasks<Scalar: AttentionAccumulator> {
  private let biases: [(operand: StridedOperand, load: Scalar.Load)]
  private let visibility: [StridedOperand]
  private let kernels: KernelTable

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.biases = problem.biases.map { ($0, Scalar.load($0.elementType, kernels)) }
    self.visibility = problem.visibilityMasks
    self.kernels = kernels
  }

  var isEmpty: Bool { biases.isEmpty && visibility.isEmpty }

  /// Adds and hides along part of one row of scores.
  ///
  /// Biases are summed before they meet the scores: −∞ in one of them hides the key whatever the others say, while a score that
  /// is −∞ by itself hides nothing.
  /// - Parameters:
  ///   - scores: the scores of the keys in `keys`.
  ///   - scratch: room for twice as many numbers, where biases are brought together.
  func apply(
    to scores: UnsafeMutablePointer<Scalar>, keys: Range<Int>, row: RowIndex,
    scratch: UnsafeMutablePointer<Scalar>
  ) {
    if let first = biases.first {
      var sum = self.row(first, keys, row, scratch)
      for other in biases.dropFirst() {
        if sum != UnsafePointer(scratch) { scratch.update(from: sum, count: keys.count) }
        sum = UnsafePointer(scratch)
        Scalar.combineBias(scratch, self.row(other, keys, row, scratch + keys.count), keys.count, kernels)
      }
      Scalar.addBias(scores, sum, keys.count, kernels)
    }
    for operand in visibility {
      let source =
        operand.row(row.sequence, row.head, row.query) + keys.lowerBound &* operand.byteStrides.column
      Scalar.hide(
        scores, source.assumingMemoryBound(to: UInt8.self), stride: operand.byteStrides.column,
        keys.count, kernels)
    }
  }

  /// Part of a row of a bias in the scores' type: in place where it lies so, else brought into scratch.
  private func row(
    _ bias: (operand: StridedOperand, load: Scalar.Load), _ keys: Range<Int>, _ row: RowIndex,
    _ scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar> {
    let operand = bias.operand
    let source =
      operand.row(row.sequence, row.head, row.query) + keys.lowerBound &* operand.byteStrides.column
    if operand.elementType == Scalar.elementType && operand.columnStride == 1 {
      return source.assumingMemoryBound(to: Scalar.self)
    }
    Scalar.run(bias.load, into: scratch, source, stride: operand.columnStride, keys.count, factor: 1)
    return UnsafePointer(scratch)
  }
}

/// One query of one head of one sequence.
struct RowIndex {
  let sequence: Int
  let head: Int
  let query: Int
}
