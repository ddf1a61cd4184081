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
/// - Throws: ``LinearAlgebraError`` where `matrix` is not a matrix, holds NaN or an infinity, or LAPACK fails.
/// - SeeAlso: Roy and Vetterli 2007, "The Effective Rank: A Measure of Effective Dimensionality".
///
/// Computed in Double. Rows are taken 4096 at a time: memory is a few copies of `[4096 + m, m]`, however many rows there are.
public func effectiveRank<E: FloatingPointElement>(
  of matrix: Tensor<E>
) throws(LinearAlgebraError) -> Double {
  spread(of: try singularValues(of: matrix) { _ in true })
}

/// The singular values of the rows that count, in descending order.
///
/// The matrix `R` of a QR decomposition has the singular values of the rows that went into it, and needs no more room than
/// `[m, m]`. So blocks of rows are folded into it one after the other (Demmel et al. 2012, tall-skinny QR), and only the
/// last `R` meets the SVD.
func singularValues<E: FloatingPointElement>(
  of matrix: Tensor<E>, counting counts: (_ row: Int) -> Bool
) throws(LinearAlgebraError) -> [Double] {
  guard matrix.rank == 2 else {
    throw .invalidArgument(
      operation: "effectiveRank(of:)", argument: "matrix", given: "shape \(matrix.shape)", expected: "2 axes")
  }
  let (rows, columns) = (matrix.shape[0], matrix.shape[1])
  let blockRows = 4096
  var folded = Tensor<Double>.zeros([0, columns])
  for start in stride(from: 0, to: rows, by: blockRows) {
    let block = start..<min(start + blockRows, rows)
    let counted = block.filter(counts)
    let source = matrix.sliced(axis: 0, block).converted(to: Double.self).contiguous()
    let stacked = stack(folded, source, counted.map { $0 - start })
    if let bad = firstNonFinite(stacked) {
      // What was folded is finite, so it is in one of the new rows.
      let row = counted[bad.row - folded.shape[0]]
      throw .invalidArgument(
        operation: "effectiveRank(of:)", argument: "matrix", given: "\(bad.value) at [\(row), \(bad.column)]",
        expected: "finite elements")
    }
    folded = stacked.shape[0] > columns ? try qr(stacked).r : stacked
  }
  return try svd(folded).singularValues.elements
}

/// A matrix with some rows of another one below it, both row-major.
private func stack(_ top: Tensor<Double>, _ bottom: Tensor<Double>, _ rows: [Int]) -> Tensor<Double> {
  let columns = top.shape[1]
  return Tensor(unsafeUninitializedShape: [top.shape[0] + rows.count, columns]) { target in
    guard var next = target.baseAddress else { return }
    top.withUnsafePointer { next.update(from: $0, count: top.count) }
    next += top.count
    bottom.withUnsafePointer { bottom in
      for row in rows {
        next.update(from: bottom + row * columns, count: columns)
        next += columns
      }
    }
  }
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
