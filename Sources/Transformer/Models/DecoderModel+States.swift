import Attention
import LinearAlgebra

extension DecoderModel {
  /// What the last layer makes of each token of a step, normalised: `[total, width]`. Writes keys and values of all layers; committing is
  /// left to the caller.
  ///
  /// - Parameters:
  ///   - tokens: those that the step appends, sequence after sequence.
  ///   - step: of a pool that ``makePool(keys:values:pageSize:pages:)`` made.
  /// - Throws: ``Attention/AttentionError`` where a token is not below the vocabulary, the step does not append as many tokens, its pool is of
  ///   another model's shape, or a sequence outgrows ``context``.
  ///
  /// Queries are Floats where the weights are Float32 or Float16, and bfloat16 for other weights.
  public func states(
    _ tokens: [[Int]], _ step: KeyValueStep
  ) throws(AttentionError) -> Tensor<Float> {
    try check(tokens, step)
    let pass = DecoderPass(
      cache: StepCache(step: step, lengths: tokens.map(\.count)), positions: .ids(try step.positions),
      queryType: queryType)
    return try states(of: tokens.flatMap { $0 }, pass)
  }

  /// What the last layer makes of the tokens of a pass, normalised: `[tokens, width]`.
  func states(of tokens: [Int], _ pass: DecoderPass) throws(AttentionError) -> Tensor<Float> {
    let x = try embedded(tokens)
    guard x.rows > 0, let first = layers.first else { return x.tensor }
    let scratch = try DecoderScratch(rows: x.rows, first, width: x.width)
    for (index, layer) in layers.enumerated() { try layer.run(x, layer: index, pass, scratch) }
    forEachRow(x.rows, work: x.width, on: workers) { norm.apply(to: x[$0], into: x[$0]) }
    return x.tensor
  }

  /// The logits after some tokens: `[rows.count, vocabulary]`.
  ///
  /// - Parameters:
  ///   - states: what ``states(_:_:)`` returned.
  ///   - rows: indices of its rows; one output each.
  /// - Throws: ``Attention/AttentionError`` where a row is out of range, or there is no memory.
  public func logits(of states: Tensor<Float>, rows: [Int]) throws(AttentionError) -> Tensor<Float> {
    let logits = try head(states.gathered(rows), on: workers)
    guard let softcap = configuration.logitSoftcap, softcap > 0 else { return logits }
    return LinearAlgebra.softcapped(logits, cap: softcap, on: workers)
  }

  /// The rows of tokens, which the first layer reads.
  func embedded(_ ids: [Int]) throws(AttentionError) -> RowMatrix {
    let x = try RowMatrix(rows: ids.count, width: configuration.width)
    forEachRow(ids.count, work: 4 * x.width, on: workers) { row in
      switch embedding {
      case .head: head.readRow(ids[row], into: x[row])
      case .file(let rows): rows.read(ids[row]..<ids[row] + 1, x[row])
      }
      if configuration.embeddingScale != 1 {
        for column in 0..<x.width { x[row][column] *= configuration.embeddingScale }
      }
    }
    return x
  }

  var queryType: DecoderPass.QueryType {
    switch weightType {
    case .float32, .float16: .float32
    case .bfloat16, .int8: .bfloat16
    }
  }

  func check(_ tokens: [[Int]], _ step: KeyValueStep) throws(AttentionError) {
    guard tokens.count == step.sequences.count else {
      throw AttentionError(
        "tokens", "\(tokens.count) lists given, expected one for each of \(step.sequences.count) sequences")
    }
    for (index, list) in tokens.enumerated() {
      guard list.count == step.rowCount(index) else {
        throw AttentionError(
          "tokens",
          "\(list.count) for sequence \(index) given, expected the \(step.rowCount(index)) that the step appends"
        )
      }
      for token in list where !(0..<configuration.vocabulary).contains(token) {
        throw AttentionError("tokens", "\(token) given, expected 0..<\(configuration.vocabulary)")
      }
    }
    let pool = step.pool
    guard
      pool.layers == configuration.layers, pool.heads == configuration.keyValueHeads,
      pool.depth == configuration.headDimension, pool.width == configuration.headDimension
    else {
      throw AttentionError(
        "step",
        "a pool of \(pool.layers) layers of \(pool.heads) heads of \(pool.depth) given, expected \(configuration.layers) of \(configuration.keyValueHeads) of \(configuration.headDimension)"
      )
    }
    for (index, sequence) in step.sequences.enumerated() where sequence.count + step.rowCount(index) > context
    {
      throw AttentionError(
        "tokens",
        "\(sequence.count + step.rowCount(index)) in sequence \(index) given, expected at most the context of \(context)"
      )
    }
  }
}
