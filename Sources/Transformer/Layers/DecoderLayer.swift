import Attention
import LinearAlgebra

/// A layer of a decoder: attention, then feed-forward, each added to the residual stream.
///
///     x += attention(norm(x))             Gemma normalises what is added as well:   x += postNorm(attention(norm(x)))
///     x += feedForward(norm(x))
struct DecoderLayer: Sendable {
  let attentionNorm: Norm
  var attention: DecoderAttention
  let postAttentionNorm: Norm?
  let feedForwardNorm: Norm
  let feedForward: FeedForward
  let postFeedForwardNorm: Norm?

  func run(
    _ x: RowMatrix, layer: Int, _ pass: DecoderPass, _ scratch: DecoderScratch
  ) throws(AttentionError) {
    let pool = attention.attend.pool
    try attention.run(
      scratch.heads, to: postAttentionNorm == nil ? x : scratch.result, adding: postAttentionNorm == nil,
      layer: layer, pass
    ) { attentionNorm.apply(to: x[$0], into: $1) }
    addNormalised(postAttentionNorm, scratch.result, to: x, on: pool)
    feedForward.run(
      scratch.inner, to: postFeedForwardNorm == nil ? x : scratch.result,
      adding: postFeedForwardNorm == nil, on: pool
    ) { feedForwardNorm.apply(to: x[$0], into: $1) }
    addNormalised(postFeedForwardNorm, scratch.result, to: x, on: pool)
  }

  private func addNormalised(_ norm: Norm?, _ result: RowMatrix, to x: RowMatrix, on pool: WorkerPool) {
    guard let norm else { return }
    forEachRow(x.rows, work: 2 * x.width, on: pool) { row in
      norm.apply(to: result[row], into: result[row])
      add(result[row], to: x[row], count: x.width)
    }
  }
}

/// The working memory of a pass, shared by all layers.
struct DecoderScratch {
  let heads: RowMatrix
  let inner: RowMatrix
  /// What a layer adds, before it is normalised.
  let result: RowMatrix

  init(rows: Int, _ layer: DecoderLayer, width: Int) throws(AttentionError) {
    heads = try RowMatrix(rows: rows, width: layer.attention.projection.outputWidth)
    inner = try RowMatrix(rows: rows, width: layer.feedForward.scratchWidth)
    result = try RowMatrix(
      rows: layer.postAttentionNorm == nil && layer.postFeedForwardNorm == nil ? 0 : rows, width: width)
  }
}
