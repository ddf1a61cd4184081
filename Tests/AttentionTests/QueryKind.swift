import Attention
import TestSupport

/// The ways to pass the queries of some sequences.
enum QueryKind: CaseIterable, Sendable {
  /// All rows of a tensor.
  case batch
  /// The first rows of each sequence; the others are NaN.
  case padded
  /// One sequence after the other, with some rows of NaN after the last.
  case packed

  /// Rows after the last packed sequence.
  static let extraRows = 2

  /// How many queries each sequence has where `lengths` are asked for, of a tensor `[B, Hq, Tq, D]`.
  func lengths(_ lengths: [Int], of queries: Tensor<some AttentionElement>) -> [Int] {
    switch self {
    case .batch: lengths.map { _ in queries.shape[2] }
    case .padded, .packed: lengths
    }
  }

  /// Queries `[B, Hq, Tq, D]` passed this way.
  func queries<E: AttentionElement>(_ queries: Tensor<E>, lengths: [Int]) throws -> Queries<E> {
    let shape = queries.shape
    switch self {
    case .batch: return Queries(queries)
    case .padded:
      var padded = Tensor(repeating: E(nearest: .nan), shape: shape)
      try padded.withMutableView { view in
        for (b, length) in lengths.enumerated() {
          try view.selected(axis: 0, b).sliced(axis: 1, 0..<length)
            .assign(from: queries.selected(axis: 0, b).sliced(axis: 1, 0..<length))
        }
      }
      return .padded(padded, lengths: lengths)
    case .packed:
      var packed = Tensor(
        repeating: E(nearest: .nan), shape: [lengths.reduce(Self.extraRows, +), shape[1], shape[3]])
      try packed.withMutableView { view in
        var start = 0
        for (b, length) in lengths.enumerated() {
          try view.sliced(axis: 0, start..<start + length)
            .assign(from: queries.selected(axis: 0, b).sliced(axis: 1, 0..<length).permuted(1, 0, 2))
          start += length
        }
      }
      return .packed(packed, lengths: lengths)
    }
  }

  /// The rows of one sequence, `[Hq, n, …]`, of `[B, Hq, Tq, …]`, or of packed `[Hq, total, …]`.
  func rows<E: TensorElement>(_ scores: Tensor<E>, of sequence: Int, lengths: [Int]) -> Tensor<E> {
    let length = lengths[sequence]
    switch self {
    case .batch, .padded: return scores.selected(axis: 0, sequence).sliced(axis: 1, 0..<length)
    case .packed:
      let start = lengths[..<sequence].reduce(0, +)
      return scores.sliced(axis: 1, start..<start + length)
    }
  }

  /// The rows after those of one sequence; of packed ones, after the last.
  func padding<E: TensorElement>(_ scores: Tensor<E>, of sequence: Int, lengths: [Int]) -> Tensor<E> {
    switch self {
    case .batch, .padded:
      return scores.selected(axis: 0, sequence).sliced(axis: 1, lengths[sequence]..<scores.shape[2])
    case .packed: return scores.sliced(axis: 1, lengths.reduce(0, +)..<scores.shape[1])
    }
  }

  /// The results of one sequence, `[Hq, n, Dv]` and `[Hq, n]`.
  func results<E: AttentionElement>(
    _ result: (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>), of sequence: Int, lengths: [Int]
  ) -> (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>) {
    (
      rows(byHead(result.output), of: sequence, lengths: lengths),
      rows(result.logSumExp, of: sequence, lengths: lengths)
    )
  }

  /// Whether the rows that are no sequence's hold 0 and a log-sum-exp of −∞.
  func leavesPaddingEmpty<E: AttentionElement>(
    _ result: (output: Tensor<E>, logSumExp: Tensor<E.Accumulator>), lengths: [Int]
  ) -> Bool {
    lengths.indices.allSatisfy { b in
      padding(byHead(result.output), of: b, lengths: lengths).elements.allSatisfy { $0.doubleValue == 0 }
        && padding(result.logSumExp, of: b, lengths: lengths).elements.allSatisfy {
          $0.doubleValue == -.infinity
        }
    }
  }

  /// Outputs with heads before rows.
  private func byHead<E: TensorElement>(_ output: Tensor<E>) -> Tensor<E> {
    switch self {
    case .batch, .padded: output
    case .packed: output.permuted(1, 0, 2)
    }
  }
}

/// Whether two tensors have one shape and the same bits: 0 is not −0, and a NaN is itself.
func haveSameBits<E: TensorElement>(_ left: Tensor<E>, _ right: Tensor<E>) -> Bool {
  left.shape == right.shape && bytes(of: left) == bytes(of: right)
}

private func bytes<E: TensorElement>(of tensor: Tensor<E>) -> [UInt8] {
  tensor.contiguous().withUnsafePointer {
    Array(UnsafeRawBufferPointer(start: $0, count: tensor.count * MemoryLayout<E>.stride))
  }
}
