import Attention
import Decompositions

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How many directions the rows of a matrix fill: the exponential of the entropy of its normalised singular values.
///
///     w[k]  = σ[k] / Σ_k σ[k]
///     erank = exp(−Σ_k w[k] ln w[k])
///
/// Between 1 and `min(n, m)`: `r` for `r` equal singular values, little more than 1 where one direction dominates; a
/// smooth count, where the rank jumps. 0 for a matrix of zeros or without elements. The factor of a matrix does not matter.
///
/// - Parameter matrix: `[n, m]`, any strides.
/// - Throws: ``Attention/AttentionError`` where `matrix` is not a matrix, holds NaN or an infinity, or LAPACK fails.
/// - SeeAlso: Roy and Vetterli 2007, "The Effective Rank: A Measure of Effective Dimensionality".
///
/// Computed in Double. Rows are taken 4096 at a time: memory is a few copies of `[4096 + m, m]`, however many rows there are.
public func effectiveRank<E: FloatingPointElement>(
  of matrix: Tensor<E>
) throws(AttentionError) -> Double {
  guard matrix.rank == 2 else {
    throw AttentionError("matrix", "shape \(matrix.shape) given, expected 2 axes")
  }
  let values = try singularValues(rows: Array(0..<matrix.shape[0]), columns: matrix.shape[1]) { row, target in
    let source = matrix.selected(axis: 0, row)
    source.forEachRow { base, count, stride in
      for column in 0..<count { target[column] = base[column * stride].doubleValue }
    }
  }
  return spread(of: values)
}

/// The singular values of a matrix, in descending order.
///
/// The matrix `R` of a QR decomposition has the singular values of the rows that went into it, and needs no more room than
/// `[m, m]`. So blocks of rows are folded into it one after the other (Demmel et al. 2012, tall-skinny QR), and only the
/// last `R` meets the SVD.
/// - Parameters:
///   - rows: those that count.
///   - read: writes a row.
func singularValues(
  rows: [Int], columns: Int, _ read: (_ row: Int, _ target: UnsafeMutablePointer<Double>) -> Void
) throws(AttentionError) -> [Double] {
  let blockRows = 4096
  var folded = Tensor<Double>.zeros([0, columns])
  for start in stride(from: 0, to: rows.count, by: blockRows) {
    let block = rows[start..<min(start + blockRows, rows.count)]
    let top = folded
    let stacked = Tensor<Double>(unsafeUninitializedShape: [top.shape[0] + block.count, columns]) { target in
      guard var next = target.baseAddress else { return }
      top.withUnsafePointer { next.update(from: $0, count: top.count) }
      next += top.count
      for row in block {
        read(row, next)
        next += columns
      }
    }
    if let bad = firstNonFinite(stacked) {
      // What was folded is finite, so it is in one of the new rows.
      let row = block[block.startIndex + bad.row - top.shape[0]]
      throw AttentionError(
        "matrix", "\(bad.value) at [\(row), \(bad.column)] given, expected finite elements")
    }
    folded = stacked.shape[0] > columns ? try qr(stacked).r : stacked
  }
  return try svd(folded).singularValues.elements
}

private func firstNonFinite(_ matrix: Tensor<Double>) -> (row: Int, column: Int, value: Double)? {
  matrix.withUnsafePointer { base in
    for place in 0..<matrix.count where !base[place].isFinite {
      let (row, column) = place.quotientAndRemainder(dividingBy: matrix.shape[1])
      return (row, column, base[place])
    }
    return nil
  }
}

/// The exponential of the entropy of numbers that are not negative, the largest first, after they are made to add up to 1.
func spread(of singularValues: [Double]) -> Double {
  guard let largest = singularValues.first, largest > 0 else { return 0 }
  // Relative to the largest, so that the sum cannot overflow.
  let sum = singularValues.reduce(0) { $0 + $1 / largest }
  let entropy = singularValues.reduce(0) { entropy, value in
    let share = value / largest / sum
    return share > 0 ? entropy - share * log(share) : entropy
  }
  return exp(entropy)
}
