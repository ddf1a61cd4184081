/// The sizes of an attention problem, by the names of the field.
struct AttentionSizes: Sendable {
  let batch: Int
  let queryHeads: Int
  let keyValueHeads: Int
  let queryCount: Int
  let keyCount: Int
  let headDimension: Int
  let valueDimension: Int

  /// Query heads that share one key/value head.
  var groupSize: Int { keyValueHeads == 0 ? 1 : queryHeads / keyValueHeads }

  var outputShape: Shape { [batch, queryHeads, queryCount, valueDimension] }

  var logSumExpShape: Shape { [batch, queryHeads, queryCount] }
}

/// A checked attention problem: sizes that fit each other, addresses, strides, and the mask resolved to these sizes.
///
/// The only place that throws for shapes. Whatever stands below it works on numbers that are known to fit. It points into
/// tensors without owning them; it owns the masks.
struct AttentionProblem {
  let sizes: AttentionSizes
  let scale: Double
  let elementType: ElementType
  let queries: StridedOperand
  let keys: StridedOperand
  let values: StridedOperand
  let visibility: KeyVisibility
  let visibilityMasks: [StridedOperand]
  let biases: [StridedOperand]
  private let mask: AttentionMask

  /// Scores and sums are Double for Double, Float for everything else.
  var accumulatorType: ElementType { elementType == .float64 ? .float64 : .float32 }

  init<Element: AttentionElement>(
    _ inputs: AttentionInputs<Element>, scale: Double?, mask: AttentionMask
  ) throws(AttentionError) {
    let sizes = try checkedSizes(inputs)
    self.sizes = sizes
    if let scale, !scale.isFinite || !Element.Accumulator(nearest: scale).doubleValue.isFinite {
      throw AttentionError("scale", "\(scale) given, expected a finite number of the accumulation type")
    }
    self.scale = scale ?? 1 / Double(sizes.headDimension).squareRoot()
    self.elementType = Element.elementType
    self.queries = StridedOperand(inputs.queries)
    self.keys = StridedOperand(inputs.keys)
    self.values = StridedOperand(inputs.values)
    self.mask = mask

    var visibility = try KeyVisibility(mask, sizes)
    var visibilityMasks: [StridedOperand] = []
    for tensor in mask.visibilityMasks {
      visibilityMasks.append(try maskOperand(tensor, tensor.shape, sizes, &visibility))
    }
    var biases: [StridedOperand] = []
    for tensor in mask.biases {
      biases.append(try maskOperand(tensor, tensor.shape, sizes, &visibility))
    }
    self.visibility = visibility
    self.visibilityMasks = visibilityMasks
    self.biases = biases
  }

  /// Throws unless a result has the shape that it must have.
  func check(_ shape: Shape, is expected: Shape, named argument: String) throws(AttentionError) {
    guard shape == expected else {
      throw AttentionError(argument, "shape \(shape) given, expected \(expected)")
    }
  }

  /// Throws where two elements of a result might share a place: threads would write over each other.
  ///
  /// Ordered by stride, each axis must step over all that the ones before it reach. Layouts that interleave axes without
  /// ever meeting are refused too; no tensor operation makes them.
  func checkDistinct(_ shape: Shape, _ strides: Strides, named argument: String) throws(AttentionError) {
    var reach = 0
    let axes = (0..<shape.count).filter { shape[$0] > 1 }.sorted {
      strides[$0].magnitude < strides[$1].magnitude
    }
    for axis in axes {
      let step = Int(clamping: strides[axis].magnitude)
      guard step > reach else {
        throw AttentionError(
          argument, "strides \(strides) let elements of shape \(shape) overlap; expected a place for each")
      }
      let (span, overflow) = step.multipliedReportingOverflow(by: shape[axis] - 1)
      reach = overflow || span > Int.max - reach ? Int.max : reach + span
    }
  }
}

/// A tile holds at least a row and 4 keys whole: at this width that is up to 168 MB a thread.
private let widestVector = 1 << 21

/// Checks the three shapes against each other and against what BLAS can count.
private func checkedSizes<Element>(
  _ inputs: AttentionInputs<Element>
) throws(AttentionError) -> AttentionSizes {
  let (queries, keys, values) = (inputs.queries.shape, inputs.keys.shape, inputs.values.shape)
  func refuse(_ argument: String, _ shape: Shape, _ expected: String) -> AttentionError {
    AttentionError(argument, "shape \(shape) given, expected \(expected)")
  }
  guard queries.count == 4 else { throw refuse("queries", queries, "[B, Hq, Tq, D]") }
  guard keys.count == 4 else { throw refuse("keys", keys, "[B, Hkv, Tk, D]") }
  guard values.count == 4 else { throw refuse("values", values, "[B, Hkv, Tk, Dv]") }
  guard queries[3] >= 1 else { throw refuse("queries", queries, "a head dimension of at least 1") }
  guard values[3] >= 1 else { throw refuse("values", values, "a value dimension of at least 1") }
  guard queries[3] <= widestVector else {
    throw refuse("queries", queries, "a head dimension of at most \(widestVector)")
  }
  guard values[3] <= widestVector else {
    throw refuse("values", values, "a value dimension of at most \(widestVector)")
  }
  guard keys[0] == queries[0] else {
    throw refuse("keys", keys, "the batch size \(queries[0]) of queries \(queries)")
  }
  guard keys[3] == queries[3] else {
    throw refuse("keys", keys, "the head dimension \(queries[3]) of queries \(queries)")
  }
  guard keys[1] == 0 ? queries[1] == 0 : queries[1] % keys[1] == 0 else {
    throw refuse("keys", keys, "a number of heads that divides the \(queries[1]) of queries \(queries)")
  }
  guard values[0] == keys[0], values[1] == keys[1], values[2] == keys[2] else {
    throw refuse("values", values, "[\(keys[0]), \(keys[1]), \(keys[2]), Dv] to match keys \(keys)")
  }
  for (argument, shape) in [("queries", queries), ("keys", keys), ("values", values)] {
    for length in shape where length > Int(Int32.max) {
      throw refuse(argument, shape, "axes of at most \(Int32.max), BLAS's largest integer")
    }
  }
  let sizes = AttentionSizes(
    batch: queries[0], queryHeads: queries[1], keyValueHeads: keys[1], queryCount: queries[2],
    keyCount: keys[2], headDimension: queries[3], valueDimension: values[3])
  let bytes = sizes.outputShape.checkedElementCount?.multipliedReportingOverflow(by: 8)
  guard let bytes, !bytes.overflow else {
    throw refuse("queries", queries, "an output \(sizes.outputShape) whose size fits an Int")
  }
  let rows = (sizes.groupSize).multipliedReportingOverflow(by: sizes.queryCount)
  guard rows.partialValue <= Int(Int32.max), !rows.overflow else {
    throw refuse("queries", queries, "at most \(Int32.max) query rows for each key/value head")
  }
  return sizes
}

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
