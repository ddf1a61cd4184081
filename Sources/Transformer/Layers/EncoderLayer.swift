import Attention
import LinearAlgebra

/// A layer of an encoder in the order of BERT, which normalises sums:
///
///     x = norm(x + attention(x))
///     x = norm(x + feedForward(x))
///
/// The second norm is left to whoever reads `x` next, the following layer or the end of the model: a row is normalised where it is made
/// ready for a product, while it is in the cache, and no pass over all rows is needed.
struct EncoderLayer: Sendable {
  /// The norm of what comes in: of the embeddings, or the last of the layer before.
  let inputNorm: Norm
  let attention: EncoderAttention
  let attentionNorm: Norm
  let feedForward: FeedForward

  /// - Parameter x: sums that are not normalised, before and after.
  func run(_ x: RowMatrix, lengths: [Int], _ scratch: EncoderScratch) throws(AttentionError) {
    try attention.run(scratch.heads, addingTo: x, lengths: lengths) { row in
      inputNorm.apply(to: x[row], into: x[row])
      return UnsafePointer(x[row])
    }
    feedForward.run(scratch.inner, to: x, adding: true, on: attention.attend.pool) { row, target in
      attentionNorm.apply(to: x[row], into: x[row])
      target.update(from: x[row], count: x.width)
    }
  }
}

/// The working memory of a pass, shared by all layers.
struct EncoderScratch {
  let heads: RowMatrix
  let inner: RowMatrix

  init(rows: Int, _ layer: EncoderLayer) throws(AttentionError) {
    heads = try RowMatrix(rows: rows, width: layer.attention.projection.outputWidth)
    inner = try RowMatrix(rows: rows, width: layer.feedForward.scratchWidth)
  }
}
