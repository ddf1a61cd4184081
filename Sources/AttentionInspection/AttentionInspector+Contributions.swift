import Attention

extension AttentionInspector {
  /// What each key contributes to the output of one query: `p[i,j] · v[j]`.
  ///
  /// - Returns: `[Tk, Dv]`; the sum of its rows is the output of the query. 0 where the weight is 0, whatever the value
  ///   holds: a key that is not seen contributes nothing.
  /// - Throws: ``Attention/AttentionError`` where the sequence, the head or the query is out of range, or no memory holds the result.
  public func contributions(
    sequence: Int, head: Int, query: Int
  ) throws(AttentionError) -> Tensor<Element.Accumulator> {
    // Before the range of one is made: `query + 1` must not overflow.
    try check(query: query)
    try check(sequence: sequence, head: head)
    try checkMemory(for: Element.Accumulator.self, valueWidth)
    let weights = try weights(sequence: sequence, head: head, queries: query..<query + 1)
    var result: Tensor<Element.Accumulator> = try allocated(
      [keyCount, valueWidth], for: "values", [keyCount, valueWidth])
    let values = try values(sequence: sequence, head: head)
    result.withMutableView { view in
      weights.withUnsafePointer { weights in
        for key in 0..<keyCount {
          values.read(key) { multiply($0, by: weights[key], into: view.base + key * valueWidth) }
        }
      }
    }
    return result
  }

  /// How much each key contributes to the outputs of some queries: `‖p[i,j] · v[j]‖ = p[i,j] · ‖v[j]‖`.
  ///
  /// The vectors are not formed.
  /// - Returns: `[n, Tk]` for `n` queries; 0 where the weight is 0.
  /// - Throws: ``Attention/AttentionError`` where the sequence, the head or a query is out of range, or no memory holds the result.
  public func contributionNorms(
    sequence: Int, head: Int, queries: Range<Int>
  ) throws(AttentionError) -> Tensor<Element.Accumulator> {
    var result = try weights(sequence: sequence, head: head, queries: queries)
    let norms = try valueNorms(sequence: sequence, head: head)
    result.withMutableView { view in
      for row in 0..<queries.count { multiply(view.base + row * keyCount, by: norms) }
    }
    return result
  }

  /// The length `‖v[j]‖` of each value that a query head reads.
  ///
  /// - Returns: `[Tk]`, summed in Double without overflow on the way; NaN where a value holds NaN.
  /// - Throws: ``Attention/AttentionError`` where the sequence or the head is out of range, or no memory holds the result.
  public func valueNorms(sequence: Int, head: Int) throws(AttentionError) -> [Double] {
    try check(sequence: sequence, head: head)
    try checkMemory(for: Double.self, 1)
    let values = try values(sequence: sequence, head: head)
    var norms: [Double] = []
    norms.reserveCapacity(keyCount)
    for key in 0..<keyCount { values.read(key) { norms.append(norm(of: $0)) } }
    return norms
  }

  /// The values that a query head reads.
  func values(sequence: Int, head: Int) throws(AttentionError) -> ValueRows {
    try call.values(sequence: sequence, head: keyValueHead(of: head))
  }

  /// Throws where there is no memory for a result of so many columns for each key: views repeat little memory many times, and
  /// what grows stops the process.
  private func checkMemory<Result: TensorElement>(for _: Result.Type, _ columns: Int) throws(AttentionError) {
    let _: Tensor<Result> = try allocated([keyCount, columns], for: "values", [keyCount, valueWidth])
  }

  private func check(query: Int) throws(AttentionError) {
    guard (0..<queryCount).contains(query) else {
      throw AttentionError("query", "\(query) given, expected one in 0..<\(queryCount)")
    }
  }
}

/// A weight times a value. A weight of 0 gives 0 even where the value is NaN or ∞.
///
/// The product of two Floats is exact in Double, so it is rounded once, as if multiplied in Float.
@_specialize(where W == Float)
@_specialize(where W == Double)
private func multiply<W: FloatingPointElement>(
  _ value: UnsafeBufferPointer<Double>, by weight: W, into row: UnsafeMutablePointer<W>
) {
  let weight = weight.doubleValue
  for column in value.indices { row[column] = weight == 0 ? W.zero : W(nearest: weight * value[column]) }
}

/// A row of weights, each times the norm of its value.
@_specialize(where W == Float)
@_specialize(where W == Double)
private func multiply<W: FloatingPointElement>(_ row: UnsafeMutablePointer<W>, by norms: [Double]) {
  for key in norms.indices {
    let weight = row[key].doubleValue
    if weight != 0 { row[key] = W(nearest: weight * norms[key]) }
  }
}

/// The Euclidean norm of a row.
private func norm(of row: UnsafeBufferPointer<Double>) -> Double {
  var sum = 0.0
  for x in row { sum += x * x }
  if sum.isNormal || sum.isNaN { return sum.squareRoot() }
  // Zero, or squares beyond Double's range on either side: again with the largest element as the unit.
  var largest = 0.0
  for x in row { largest = max(largest, x.magnitude) }
  if largest == 0 || largest == .infinity { return largest }
  sum = 0
  for x in row {
    let y = x / largest
    sum += y * y
  }
  return largest * sum.squareRoot()
}
