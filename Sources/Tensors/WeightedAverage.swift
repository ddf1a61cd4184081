/// The values, averaged by the weights: the one step that attention is made of.
///
///     y = Σ_i w[i] · v[i]
///
/// Three values of two numbers each, mixed as 20 %, 70 % and 10 %:
///
///     let values = try Tensor<Float>([2, 10, 4, 0, 8, 5], shape: [3, 2])
///     let weights = try Tensor<Float>([0.2, 0.7, 0.1], shape: [3])
///     try weightedAverage(of: values, weights: weights)   // [4.0, 2.5]
///
/// as `[2, 10]·0.2 + [4, 0]·0.7 + [8, 5]·0.1 = [4.0, 2.5]`.
///
/// The weights are used as they stand: they average where they sum to 1, as those of ``Tensor/softmax()`` do. Products and sums
/// are taken in Double, in the order of the values, and rounded once. No value is skipped: a NaN or ∞ with weight 0 gives
/// NaN. Without values (`n = 0`) the result is 0. The values are copied as Doubles where they are not dense Doubles already.
///
/// - Parameters:
///   - values: `[n, d]`, one value of `d` numbers per row.
///   - weights: `[n]`, or `[m, n]` for `m` averages of the same values.
/// - Returns: `[d]`, or `[m, d]`.
/// - Throws: ``AttentionError`` where a rank is another or the counts of values and weights differ.
public func weightedAverage<Element: FloatingPointElement>(
  of values: Tensor<Element>, weights: Tensor<Element>
) throws(AttentionError) -> Tensor<Element> {
  guard values.rank == 2, weights.rank == 1 || weights.rank == 2, weights.shape.last == values.shape[0] else {
    throw AttentionError(
      "weightedAverage(of:weights:)",
      "values of shape \(values.shape) and weights of shape \(weights.shape), expected [n, d] and [n] or [m, n]"
    )
  }
  let width = values.shape[1]
  let averages: Shape = weights.rank == 1 ? [width] : [weights.shape[0], width]
  guard averages.checkedElementCount != nil else {
    throw AttentionError(
      "weightedAverage(of:weights:)", "the element count of \(averages) does not fit an Int")
  }
  let wideValues = values.converted(to: Double.self).contiguous()
  let wideWeights = weights.converted(to: Double.self)
  var result = Tensor<Double>.zeros(averages)
  result.withMutableView { view in
    wideValues.withUnsafePointer { values in
      var sums = view.base
      wideWeights.forEachRow { weights, count, stride in
        for index in 0..<count {
          let weight = weights[index * stride]
          let value = values + index * width
          for column in 0..<width { sums[column] += weight * value[column] }
        }
        sums += width
      }
    }
  }
  return result.converted(to: Element.self)
}
