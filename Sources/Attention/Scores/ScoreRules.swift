/// What happens to scores between the two products, beyond key ranges: a bound, biases, modifiers, and tensors that hide keys.
struct ScoreRules {
  /// nil for none.
  let softcap: Double?
  let biases: [StridedOperand]
  /// One a query head, all ALiBi rules added up; nil for none.
  let alibiSlopes: [Double]?
  let modifiers: [ScoreModifier]
  let visibilityMasks: [StridedOperand]

  /// Whether scores stay what the product says.
  var isEmpty: Bool {
    softcap == nil && biases.isEmpty && alibiSlopes == nil && modifiers.isEmpty && visibilityMasks.isEmpty
  }

  /// Whether some rule works on rows of scores, and cannot be told by a number for each row.
  var needsRows: Bool { !(biases.isEmpty && modifiers.isEmpty && visibilityMasks.isEmpty) }

  /// The rules in the order in which scores meet them.
  var names: [String] {
    (softcap.map { ["softcap \($0)"] } ?? []) + biases.map { _ in "additive mask" }
      + (alibiSlopes == nil ? [] : ["ALiBi"]) + modifiers.map { _ in "modifier" }
      + visibilityMasks.map { _ in "boolean mask" }
  }

  /// Resolves a mask and options for one problem.
  ///
  /// - Parameter visibility: hides the keys past the end of tensors with a short last axis.
  init(
    _ mask: AttentionMask, _ options: AttentionOptions, _ sizes: AttentionSizes,
    _ visibility: inout KeyVisibility
  ) throws(AttentionError) {
    softcap = options.softcap == 0 ? nil : options.softcap
    modifiers = mask.modifiers
    var visibilityMasks: [StridedOperand] = []
    for tensor in mask.visibilityMasks {
      visibilityMasks.append(try maskOperand(tensor, tensor.shape, sizes, &visibility))
    }
    self.visibilityMasks = visibilityMasks
    var biases: [StridedOperand] = []
    for tensor in mask.biases {
      biases.append(try maskOperand(tensor, tensor.shape, sizes, &visibility))
    }
    self.biases = biases
    alibiSlopes = try sumOfSlopes(mask.alibiSlopes, sizes)
  }
}

/// Slopes of several rules add up: they all count the same distances.
private func sumOfSlopes(_ rules: [[Double]], _ sizes: AttentionSizes) throws(AttentionError) -> [Double]? {
  guard var sum = rules.first else { return nil }
  for slopes in rules {
    guard slopes.count == sizes.queryHeads else {
      throw AttentionError(
        "mask", "\(slopes.count) ALiBi slopes given, expected one for each of \(sizes.queryHeads) query heads"
      )
    }
  }
  for slopes in rules.dropFirst() { for head in sum.indices { sum[head] += slopes[head] } }
  for slope in sum where !(slope.magnitude <= steepestSlope) {
    throw AttentionError(
      "mask",
      "ALiBi slopes that add up to \(slope) given, expected at most \(steepestSlope) on either side of 0")
  }
  return sum
}

/// Distances fit 34 bits: times this they stay far inside Float's range. −∞ would pass for a hidden key.
private let steepestSlope = 1e20

/// A mask tensor under the shape of the scores; a short last axis hides the keys past it.
private func maskOperand(
  _ tensor: some MaskTensor, _ shape: Shape, _ sizes: AttentionSizes, _ visibility: inout KeyVisibility
) throws(AttentionError) -> StridedOperand {
  var scores: Shape = [sizes.batch, sizes.queryHeads, sizes.queryCount, sizes.keyCount]
  if let last = shape.last, last != 1, last < sizes.keyCount {
    scores[3] = last
    visibility.limit(toFirst: last)
  }
  do {
    return try tensor.operand(broadcastTo: scores)
  } catch {
    throw AttentionError("mask", "shape \(shape) does not broadcast to the scores' \(scores)")
  }
}
