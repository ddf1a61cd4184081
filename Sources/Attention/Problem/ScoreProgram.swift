/// What happens to scores between the two products, beyond key ranges, resolved for one problem: steps with their constants, in the one
/// order in which every kernel takes them.
///
/// The order is that of ONNX `Attention`: softcap, additive masks, ALiBi, modifiers, visibility.
struct ScoreProgram {
  /// One step, for all rows of the problem.
  enum Step {
    /// `s = softcap · tanh(s / softcap)`
    case softcap(Double)
    /// `s += Σ biases`; −∞ in one of them hides the key, whatever the score.
    case biases([StridedOperand])
    /// `s −= slope[h] · |position − j|`, one slope a query head, all ALiBi rules added up.
    case alibi([Double])
    /// Code of the caller's.
    case modifiers([ScoreModifier])
    /// The key is hidden where a byte is 0.
    case visibility([BooleanOperand])
  }

  let steps: [Step]

  /// Whether scores stay what the product says.
  var isEmpty: Bool { steps.isEmpty }

  /// The steps in words.
  var names: [String] {
    steps.flatMap { step in
      switch step {
      case .softcap(let bound): ["softcap \(bound)"]
      case .biases(let biases): biases.map { _ in "additive mask" }
      case .alibi: ["ALiBi"]
      case .modifiers(let modifiers): modifiers.map { _ in "modifier" }
      case .visibility(let masks): masks.map { _ in "boolean mask" }
      }
    }
  }

  /// The bound on scores; nil for none.
  var softcap: Double? {
    for case .softcap(let bound) in steps { return bound }
    return nil
  }

  /// Additive masks; nil for none.
  var biases: [StridedOperand]? {
    for case .biases(let biases) in steps { return biases }
    return nil
  }

  /// Boolean masks; nil for none.
  var visibilityMasks: [BooleanOperand]? {
    for case .visibility(let masks) in steps { return masks }
    return nil
  }

  /// One a query head; nil for none.
  var alibiSlopes: [Double]? {
    for case .alibi(let slopes) in steps { return slopes }
    return nil
  }

  /// The steps that scores have taken at some stage.
  func through(_ stage: ScoreStage) -> ScoreProgram {
    switch stage {
    case .scaled: ScoreProgram(steps: [])
    case .softcapped: ScoreProgram(steps: steps.filter { if case .softcap = $0 { true } else { false } })
    case .biased, .weights: self
    }
  }

  private init(steps: [Step]) { self.steps = steps }

  /// Whether some step runs code of the caller's.
  var hasModifiers: Bool {
    steps.contains { if case .modifiers = $0 { true } else { false } }
  }

  /// Whether some step may hide a key: a tensor or a modifier.
  var canHide: Bool {
    steps.contains { step in
      switch step {
      case .softcap, .alibi: false
      case .biases, .modifiers, .visibility: true
      }
    }
  }

  /// Resolves a mask and options for one problem.
  ///
  /// - Parameter visibility: hides the keys past the end of tensors with a short last axis.
  init(
    _ mask: AttentionMask, _ options: AttentionOptions, _ sizes: AttentionSizes,
    _ visibility: inout KeyVisibility
  ) throws(AttentionError) {
    var steps: [Step] = []
    if let softcap = options.softcap, softcap != 0 { steps.append(.softcap(softcap)) }
    if !mask.biases.isEmpty {
      var biases: [StridedOperand] = []
      for tensor in mask.biases {
        let scores = try underScores(tensor, "additive", sizes, &visibility)
        biases.append(StridedOperand(scores, .batched))
      }
      steps.append(.biases(biases))
    }
    if let slopes = try sumOfSlopes(mask.alibiSlopes, sizes) { steps.append(.alibi(slopes)) }
    if !mask.modifiers.isEmpty { steps.append(.modifiers(mask.modifiers)) }
    if !mask.visibilityMasks.isEmpty {
      var masks: [BooleanOperand] = []
      for tensor in mask.visibilityMasks {
        let scores = try underScores(AnyTensor(tensor), "boolean", sizes, &visibility)
        masks.append(
          BooleanOperand(
            base: scores.unsafeBase, byteStrides: RowAxes.batched.byteStrides(scores.strides, 1)))
      }
      steps.append(.visibility(masks))
    }
    self.steps = steps
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
package let steepestSlope = 1e20

/// A mask tensor under the shape of the scores; a short last axis hides the keys past it.
private func underScores(
  _ tensor: AnyTensor, _ kind: String, _ sizes: AttentionSizes, _ visibility: inout KeyVisibility
) throws(AttentionError) -> AnyTensor {
  var scores: Shape = [sizes.batch, sizes.queryHeads, sizes.queryCount, sizes.keyCount]
  if let last = tensor.shape.last, last != 1, last < sizes.keyCount {
    scores[3] = last
    visibility.limit(toFirst: last)
  }
  do {
    return try tensor.broadcast(to: scores)
  } catch {
    throw AttentionError(
      "mask",
      "\(kind) mask of shape \(tensor.shape) does not broadcast to the scores' [\(sizes.batch), \(sizes.queryHeads), \(sizes.queryCount), \(sizes.keyCount)]"
    )
  }
}
