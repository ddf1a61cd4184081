/// A checked attention problem: sizes that fit each other, addresses, strides, and the mask resolved to these sizes.
///
/// What is thrown for a call's operands is thrown while one is made; whatever stands below works on numbers that are known to fit. It
/// points into tensors that the call keeps alive. A class, because a dozen parts of a call hold it: a copy each would cost a short call
/// more than its arithmetic.
final class AttentionProblem {
  let layout: CallLayout
  let scale: Double
  /// What queries and output are stored in.
  let elementType: StorageType
  /// What scores and sums are kept in.
  let accumulatorType: AccumulatorType
  let visibility: KeyVisibility
  /// Whether ranges may have holes: by itself, because asking the visibility counts references to its rules.
  let hasHoles: Bool
  let scoring: ScoreProgram
  let sinks: [Double]?
  private(set) var queries: StridedOperand
  private(set) var keys: KeyValueRows
  private(set) var values: KeyValueRows

  var sizes: AttentionSizes { layout.sizes }
  var sequences: SequenceExtents { layout.sequences }

  init(
    _ attention: ScaledDotProductAttention, _ queries: QueryRows, _ keyValues: KeyValues
  ) throws(AttentionError) {
    let sources = try keyValues.sources()
    let rows = try QueryLayout(queries)
    let layout = try CallLayout(queries, rows, keyValues, sources, attention.mask)
    let type = rows.rows.type
    let isDouble = type == .float64 || attention.options.softmaxPrecision == .float64
    try checkTypes(type, sources)
    try attention.options.check(layout.sizes, isDouble: isDouble)
    if let scale = attention.scale {
      guard scale.isFinite, isDouble || Float(scale).isFinite else {
        throw AttentionError("scale", "\(scale) given, expected a finite number of the accumulation type")
      }
    }
    var visibility = try KeyVisibility(attention.mask, layout.sequences)
    self.scoring = try ScoreProgram(attention.mask, attention.options, layout.sizes, &visibility)
    self.visibility = visibility
    self.hasHoles = visibility.hasHoles
    self.layout = layout
    self.scale = attention.scale ?? 1 / Double(layout.sizes.headDimension).squareRoot()
    self.elementType = type
    self.accumulatorType = isDouble ? .float64 : .float32
    self.queries = rows.rows
    self.keys = sources.keys
    self.values = sources.values
    self.sinks = attention.options.sinks
  }

  /// Takes other tensors of the same sizes: those of the next layer, say.
  ///
  /// - Throws: ``AttentionError`` where a shape, a length, a type or the source is not that of the problem.
  func bind(_ queries: QueryRows, _ keyValues: KeyValues) throws(AttentionError) {
    let sources = try keyValues.sources()
    let rows = try QueryLayout(queries)
    try check(rows, queries)
    try check(sources, keyValues)
    self.queries = rows.rows
    self.keys = sources.keys
    self.values = sources.values
  }

  private func check(_ rows: QueryLayout, _ queries: QueryRows) throws(AttentionError) {
    guard queries.tensor.shape == layout.given.queries.shape, rows.isPacked == layout.isPacked else {
      throw rows.given.refused("the shape \(layout.given.queries.shape) that the plan was made for")
    }
    guard rows.rows.type == elementType else {
      throw AttentionError(
        "queries", "\(rows.rows.type) given, expected \(elementType) as the plan was made for")
    }
    switch queries.arrangement {
    case .batch:
      for sequence in sequences.distinct(of: sizes.batch)
      where sequences.of(sequence).queryCount != sizes.queryCount {
        throw AttentionError("queries", "no lengths given, expected those that the plan was made for")
      }
    case .padded(let lengths), .packed(let lengths):
      guard lengths.count == sizes.batch else {
        throw AttentionError(
          "lengths",
          "\(lengths.count) of queries given, expected the \(sizes.batch) that the plan was made for")
      }
      for (sequence, length) in lengths.enumerated() where sequences.of(sequence).queryCount != length {
        throw AttentionError(
          "lengths",
          "\(length) queries of sequence \(sequence) given, expected \(sequences.of(sequence).queryCount) as the plan was made for"
        )
      }
    }
  }

  private func check(_ sources: KeyValueSources, _ keyValues: KeyValues) throws(AttentionError) {
    let given = sources.sizes
    guard given.batch == sizes.batch else {
      throw sources.given.batch.refused("\(sizes.batch) sequences as the plan was made for")
    }
    guard given.heads == sizes.keyValueHeads, given.count == sizes.keyCount,
      given.depth == sizes.headDimension
    else {
      throw sources.given.keys.refused("\(layout.given.keys.shape) as the plan was made for")
    }
    if let refusal = sources.valuesRefusal { throw refusal }
    guard given.width == sizes.valueDimension else {
      throw sources.given.values.refused("a width of \(sizes.valueDimension) as the plan was made for")
    }
    guard sources.keys.type == keys.type, sources.values.type == values.type else {
      throw AttentionError(
        sources.given.keys.name,
        "\(sources.keys.type) keys and \(sources.values.type) values given, expected \(keys.type) and \(values.type) as the plan was made for"
      )
    }
    // Without elements there may be any number of sequences, which are alike then.
    for sequence in keyValues.fillsTensors ? sequences.distinct(of: sizes.batch) : 0..<sizes.batch {
      let (extent, positions) = (sequences.of(sequence), keyValues.positions(sequence))
      guard extent.keyCount != keyValues.length(sequence) || extent.positions != positions else { continue }
      throw AttentionError(
        "lengths",
        "\(keyValues.length(sequence)) keys of sequence \(sequence) given, expected \(sequences.of(sequence).keyCount) as the plan was made for"
      )
    }
  }
}

/// Keys and values of Double need sums in Double, which narrower queries do not have.
private func checkTypes(_ queries: StorageType, _ sources: KeyValueSources) throws(AttentionError) {
  // Not a loop over both: their list would be allocated for each call.
  func check(_ given: GivenArgument, _ type: RowStorage) throws(AttentionError) {
    if type == .numbers(.float64) && queries != .float64 {
      throw AttentionError(given.name, "float64 given under queries of \(queries), expected at most float32")
    }
  }
  try check(sources.given.keys, sources.keys.type)
  try check(sources.given.values, sources.values.type)
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
