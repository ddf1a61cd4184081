import Attention
import LinearAlgebra

/// The attention of one layer of a decoder: rows of the residual stream in, what attention adds to them out, keys and values in a cache.
struct DecoderAttention: Sendable {
  /// `[queries; keys; values]`, one product.
  let projection: Linear
  let output: Linear
  let queryHeads: Int
  let keyValueHeads: Int
  let depth: Int
  /// Norms of each head's queries and keys (Qwen 3, Gemma 3); nil for none.
  let queryNorm: Norm?
  let keyNorm: Norm?
  let rotary: RotaryEmbedding
  var attend: ScaledDotProductAttention
  /// Of passes of few tokens over keys of two planes; nil for attention that reads them whole.
  var bound: AttentionBound?

  private var queryColumns: Range<Int> { 0..<queryHeads * depth }
  private var keyColumns: Range<Int> { queryHeads * depth..<(queryHeads + keyValueHeads) * depth }
  private var valueColumns: Range<Int> {
    (queryHeads + keyValueHeads) * depth..<(queryHeads + 2 * keyValueHeads) * depth
  }

  /// - Parameters:
  ///   - scratch: as wide as the projection.
  ///   - outputs: the residual stream where `adding`, else memory for the result.
  ///   - pass: the cache and what is known of the rows.
  ///   - prepare: writes a row of inputs.
  func run(
    _ scratch: RowMatrix, to outputs: RowMatrix, adding: Bool, layer: Int, _ pass: DecoderPass,
    preparing prepare: (Int, UnsafeMutablePointer<Float>) -> Void
  ) throws(AttentionError) {
    try project(scratch, pass.positions, preparing: prepare)
    let (keys, values) = (
      try scratch.heads(keyValueHeads, of: keyColumns), try scratch.heads(keyValueHeads, of: valueColumns)
    )
    switch pass.queryType {
    case .float32:
      let queries = try scratch.heads(queryHeads, of: queryColumns)
      let heads = try pass.cache.attention(of: queries, keys: keys, values: values, layer: layer, self)
      writeOutput(of: heads, to: outputs, adding: adding) { $0.set(row: $1, to: $2) }
    case .bfloat16:
      let queries = try scratch.rounded(queryColumns.count, on: attend.pool)
        .sliced(axis: 1, queryColumns).reshaped(to: [scratch.rows, queryHeads, depth])
      let heads = try pass.cache.attention(of: queries, keys: keys, values: values, layer: layer, self)
      writeOutput(of: heads, to: outputs, adding: adding) { $0.set(row: $1, to: $2) }
    }
  }

  /// Queries, turned by their positions, keys, not turned, and values.
  private func project(
    _ scratch: RowMatrix, _ positions: RotaryPositions,
    preparing prepare: (Int, UnsafeMutablePointer<Float>) -> Void
  ) throws(AttentionError) {
    projection.write(
      rows: scratch.rows, to: scratch.base, stride: scratch.width, on: attend.pool, preparing: prepare)
    normaliseHeads(scratch, on: attend.pool)
    try rotary.apply(
      to: scratch.mutableHeads(queryHeads, of: queryColumns), positions: positions, on: attend.pool)
  }

  /// What a call of attention over these rows alone takes, all of it turned: for whoever looks at the weights.
  func call(
    _ scratch: RowMatrix, _ positions: RotaryPositions,
    preparing prepare: (Int, UnsafeMutablePointer<Float>) -> Void
  ) throws(AttentionError) -> AttentionCall {
    try project(scratch, positions, preparing: prepare)
    try rotary.apply(
      to: scratch.mutableHeads(keyValueHeads, of: keyColumns), positions: positions, on: attend.pool)
    func batch(_ heads: Int, _ columns: Range<Int>) throws(AttentionError) -> Tensor<Float> {
      try scratch.heads(heads, of: columns).permuted(1, 0, 2).expanded(axis: 0)
    }
    return AttentionCall(
      attention: attend, queries: try batch(queryHeads, queryColumns),
      keys: try batch(keyValueHeads, keyColumns), values: try batch(keyValueHeads, valueColumns))
  }

  private func normaliseHeads(_ rows: RowMatrix, on pool: WorkerPool) {
    for (norm, columns) in [(queryNorm, queryColumns), (keyNorm, keyColumns)] {
      guard let norm else { continue }
      forEachRow(rows.rows, work: 4 * columns.count, on: pool) { row in
        for head in stride(from: columns.lowerBound, to: columns.upperBound, by: depth) {
          norm.apply(to: rows[row] + head, into: rows[row] + head)
        }
      }
    }
  }

  private func writeOutput<Element>(
    of heads: Tensor<Element>, to outputs: RowMatrix, adding: Bool,
    _ set: (LinearInputs, Int, UnsafePointer<Element>) -> Void
  ) {
    let (width, pool) = (queryHeads * depth, attend.pool)
    heads.withUnsafePointer { heads in
      output.withInputs(rows: outputs.rows, on: pool) {
        set($0, $1, heads + $1 * width)
      } body: {
        output.multiply($0, into: outputs.base, stride: outputs.width, adding: adding, on: pool)
      }
    }
  }
}

/// What the layers of one pass share.
struct DecoderPass {
  let cache: any PassCache
  /// Of the rows that go through the layers here.
  let positions: RotaryPositions
  let queryType: QueryType

  /// What queries are rounded to before they meet the cache.
  enum QueryType { case float32, bfloat16 }
}
