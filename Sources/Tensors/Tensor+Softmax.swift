extension Tensor where Element: FloatingPointElement {
  /// The softmax of each row: weights that sum to 1, larger for larger elements.
  ///
  ///     m = max_j x[j]          p[i] = exp(x[i] − m) / Σ_j exp(x[j] − m)
  ///
  /// A row runs along the last axis; a tensor without axes is one row of one. Computed in Double for Double, in Float for the
  /// others, and rounded once. With the maximum subtracted, no finite row overflows.
  ///
  /// Edges: a row of −∞ alone has nothing to weigh and gives zeros, as attention has it for a query that sees no key. One +∞
  /// takes all the weight; several leave their shares undefined, and the row becomes NaN, as it does when it has a NaN.
  /// One allocation, and one of a row for the 16-bit types.
  public func softmax() -> Tensor {
    Tensor(unsafeUninitializedShape: shape) { buffer in
      // Beside an axis of 0, rows that do not exist may be of any width.
      guard count > 0, var next = buffer.baseAddress else { return }
      var wideRow = [Float](repeating: 0, count: Element.elementType.byteCount == 2 ? shape.last ?? 1 : 0)
      forEachRow { row, count, stride in
        let raw = UnsafeMutableRawPointer(next)
        switch Element.elementType {
        case .float64:
          copyRow(from: row, stride: stride, to: next, stride: 1, count: count)
          replaceWithSoftmax(
            UnsafeMutableBufferPointer(start: raw.assumingMemoryBound(to: Double.self), count: count),
            exponential: exponential)
        case .float32:
          copyRow(from: row, stride: stride, to: next, stride: 1, count: count)
          replaceWithSoftmax(
            UnsafeMutableBufferPointer(start: raw.assumingMemoryBound(to: Float.self), count: count),
            exponential: exponential)
        // No integers come here. They are named so that a new type must be.
        case .float16, .bfloat16, .int64, .int32, .int8, .uint8, .bool:
          wideRow.withUnsafeMutableBufferPointer { wide in
            guard let base = wide.baseAddress else { return }
            convertRow(from: row, stride: stride, to: base, count: count)
            replaceWithSoftmax(wide, exponential: exponential)
            convertRow(from: base, stride: 1, to: next, count: count)
          }
        }
        next += count
      }
    }
  }
}

/// Replaces a row by its softmax.
@inline(__always)
private func replaceWithSoftmax<Wide: BinaryFloatingPoint>(
  _ row: UnsafeMutableBufferPointer<Wide>, exponential: (Wide) -> Wide
) {
  var largest = -Wide.infinity
  for value in row where value > largest { largest = value }
  if largest.isInfinite { return replaceWithSoftmaxOfInfinite(row) }
  // A NaN passes the comparisons above, but not this sum: it makes every weight of the row NaN.
  var sum: Wide = 0
  for index in row.indices {
    let weight = exponential(row[index] - largest)
    row[index] = weight
    sum += weight
  }
  for index in row.indices { row[index] /= sum }
}

/// The rows whose maximum is no number that could be subtracted: nothing but −∞ (and NaN), or some +∞.
private func replaceWithSoftmaxOfInfinite<Wide: BinaryFloatingPoint>(_ row: UnsafeMutableBufferPointer<Wide>)
{
  let infinities = row.count { $0 == .infinity }
  let isUndefined = infinities > 1 || row.contains { $0.isNaN }
  for index in row.indices {
    row[index] = isUndefined ? .nan : row[index] == .infinity ? 1 : 0
  }
}
