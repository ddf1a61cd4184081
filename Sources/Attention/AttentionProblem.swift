/// A checked attention problem: sizes that fit each other, addresses, strides, and the mask resolved to these sizes.
///
/// The only place that throws for shapes. Whatever stands below it works on numbers that are known to fit. It points into
/// tensors without owning them; it owns the masks. A class, because a dozen parts of a call hold it: a copy each would cost a short call
/// more than its arithmetic.
final class AttentionProblem {
  let sizes: AttentionSizes
  let sequences: SequenceExtents
  let scale: Double
  let elementType: ElementType
  /// What scores and sums are kept in.
  let accumulatorType: ElementType
  let queries: StridedOperand
  let keys: KeyValueRows
  let values: KeyValueRows
  let visibility: KeyVisibility
  let scoring: ScoreRules
  let sinks: [Double]?
  /// Rows of the output that belong to no sequence, and those of queries that are padding: (sequence, rows).
  let paddedRows: [(sequence: Int, rows: Range<Int>)]

  init<Element: AttentionElement>(_ inputs: AttentionInputs<Element>) throws(AttentionError) {
    let sources = try inputs.keyValues.sources()
    let layout = try InputLayout(inputs, sources)
    let sizes = layout.sizes
    let sequences = layout.sequences
    try inputs.keyValues.checkPages(sequences)
    let isDouble = Element.elementType == .float64 || inputs.options.softmaxPrecision == .float64
    try inputs.options.check(sizes, isDouble: isDouble)
    if let scale = inputs.scale {
      guard scale.isFinite, isDouble || Float(scale).isFinite else {
        throw AttentionError("scale", "\(scale) given, expected a finite number of the accumulation type")
      }
    }
    var visibility = try KeyVisibility(inputs.mask, sequences)
    self.scoring = try ScoreRules(inputs.mask, inputs.options, sizes, &visibility)
    self.visibility = visibility
    self.sizes = sizes
    self.sequences = sequences
    self.scale = inputs.scale ?? 1 / Double(sizes.headDimension).squareRoot()
    self.elementType = Element.elementType
    self.accumulatorType = isDouble ? .float64 : .float32
    self.queries = layout.queries
    self.keys = layout.keys
    self.values = layout.values
    self.sinks = inputs.options.sinks
    self.paddedRows = layout.paddedRows
  }
}

extension AttentionProblem {
  /// What queries are multiplied with when they are loaded, and then their products with the keys.
  ///
  /// The scale goes to the products, which cost nothing more for it. But BLAS looks at neither operand where the factor is 0, and NaN
  /// in a visible key has to show all the same: a scale of 0 goes to the queries.
  func factors<Scalar: AttentionAccumulator>() -> (queries: Scalar, products: Scalar) {
    let scale = Scalar(scale)
    return scale == 0 ? (scale, 1) : (1, scale)
  }
}

/// Sizes, sequences and operands of a padded batch or of packed sequences: what lies below does not tell them apart.
private struct InputLayout {
  let sizes: AttentionSizes
  let sequences: SequenceExtents
  let queries: StridedOperand
  let keys: KeyValueRows
  let values: KeyValueRows
  let paddedRows: [(sequence: Int, rows: Range<Int>)]

  init<Element>(
    _ inputs: AttentionInputs<Element>, _ sources: KeyValueSources
  ) throws(AttentionError) {
    let shape = inputs.queries.shape
    keys = sources.keys
    values = sources.values
    if let packing = inputs.packing {
      guard shape.count == 3 else {
        throw AttentionError("queries", "shape \(shape) given, expected [total, Hq, D] for packed sequences")
      }
      // Packed keys come as a batch of one that holds the rows of all sequences.
      let (keyShape, valueShape) = (sources.keyShape, sources.valueShape)
      try packing.check(queries: shape[0], keys: keyShape[2])
      let extents = packing.extents
      // In messages they are what the caller gave.
      let keysGiven = ("keys", [keyShape[2], keyShape[1], keyShape[3]] as Shape)
      sizes = try AttentionSizes(
        queries: [packing.count, shape[1], shape[0], shape[2]],
        keys: [packing.count, keyShape[1], keyShape[2], keyShape[3]],
        values: [packing.count, valueShape[1], valueShape[2], valueShape[3]],
        given: GivenArguments(
          queries: ("queries", shape), keys: keysGiven,
          values: ("values", [valueShape[2], valueShape[1], valueShape[3]]), batch: keysGiven),
        longest: (extents.map(\.queryCount).max() ?? 0, extents.map(\.keyCount).max() ?? 0))
      sequences = try SequenceExtents(packing, inputs.mask, sizes)
      let strides = inputs.queries.strides
      queries = StridedOperand(
        UnsafeRawPointer(inputs.queries.unsafeBase), Element.elementType, head: strides[1], row: strides[0],
        column: strides[2])
      let end = packing.cumulativeQueryLengths.last ?? 0
      paddedRows = end < shape[0] ? [(0, end..<shape[0])] : []
    } else {
      guard shape.count == 4 else {
        throw AttentionError("queries", "shape \(shape) given, expected [B, Hq, Tq, D]")
      }
      let given = sources.given
      sizes = try AttentionSizes(
        queries: shape, keys: sources.keyShape, values: sources.valueShape,
        given: GivenArguments(
          queries: ("queries", shape), keys: given.keys, values: given.values, batch: given.batch))
      let sequences = try SequenceExtents(inputs.mask, sizes)
      self.sequences = sequences
      queries = StridedOperand(inputs.queries)
      let count = sizes.queryCount
      paddedRows =
        switch sequences {
        case .same: []
        case .each(let extents):
          extents.enumerated().compactMap { $1.queryCount < count ? ($0, $1.queryCount..<count) : nil }
        }
    }
  }
}
