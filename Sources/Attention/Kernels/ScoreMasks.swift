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
  /// - Parameters:
  ///   - scores: the scores of the keys in `keys`.
  ///   - scratch: room for as many numbers, where a bias of another type or stride is brought to the scores'.
  func apply(
    to scores: UnsafeMutablePointer<Scalar>, keys: Range<Int>, row: RowIndex,
    scratch: UnsafeMutablePointer<Scalar>
  ) {
    for (operand, load) in biases {
      let source =
        operand.row(row.sequence, row.head, row.query) + keys.lowerBound &* operand.byteStrides.column
      if operand.elementType == Scalar.elementType && operand.columnStride == 1 {
        Scalar.addBias(scores, source.assumingMemoryBound(to: Scalar.self), keys.count, kernels)
      } else {
        Scalar.run(load, into: scratch, source, stride: operand.columnStride, keys.count, factor: 1)
        Scalar.addBias(scores, scratch, keys.count, kernels)
      }
    }
    for operand in visibility {
      let source =
        operand.row(row.sequence, row.head, row.query) + keys.lowerBound &* operand.byteStrides.column
      Scalar.hide(
        scores, source.assumingMemoryBound(to: UInt8.self), stride: operand.byteStrides.column,
        keys.count, kernels)
    }
  }
}

/// One query of one head of one sequence.
struct RowIndex {
  let sequence: Int
  let head: Int
  let query: Int
}
