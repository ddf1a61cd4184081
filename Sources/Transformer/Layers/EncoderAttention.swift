import Attention
import LinearAlgebra

/// The attention of one layer of an encoder: every token sees all tokens of its sequence.
struct EncoderAttention: Sendable {
  /// `[queries; keys; values]`, one product.
  let projection: Linear
  let output: Linear
  let heads: Int
  let attend: ScaledDotProductAttention

  private var width: Int { output.inputWidth }

  /// Adds what attention makes of the rows to `x`.
  ///
  /// - Parameters:
  ///   - scratch: as wide as the projection.
  ///   - lengths: tokens of each sequence; they add up to the rows.
  ///   - prepare: makes the row of an index ready and gives its address.
  func run(
    _ scratch: RowMatrix, addingTo x: RowMatrix, lengths: [Int],
    preparing prepare: (Int) -> UnsafePointer<Float>
  ) throws(AttentionError) {
    let pool = attend.pool
    projection.withInputs(rows: x.rows, on: pool) {
      $0.set(row: $1, to: prepare($1))
    } body: {
      projection.multiply($0, into: scratch.base, stride: scratch.width, on: pool)
    }
    switch projection.type {
    case .float32, .float16:
      let result = try attention(over: scratch.tensor, lengths)
      result.withUnsafePointer { result in
        output.withInputs(rows: x.rows, on: pool) {
          $0.set(row: $1, to: result + $1 * width)
        } body: {
          output.multiply($0, into: x.base, stride: x.width, adding: true, on: pool)
        }
      }
    case .bfloat16, .int8:
      let result = try attention(over: scratch.rounded(scratch.width, on: pool), lengths)
      result.withUnsafePointer { result in
        output.withInputs(rows: x.rows, on: pool) {
          $0.set(row: $1, to: result + $1 * width)
        } body: {
          output.multiply($0, into: x.base, stride: x.width, adding: true, on: pool)
        }
      }
    }
  }

  /// `[rows, heads, depth]` of rows of queries, keys and values beside each other.
  private func attention<Element: AttentionElement>(
    over rows: Tensor<Element>, _ lengths: [Int]
  ) throws(AttentionError) -> Tensor<Element> {
    func operand(_ index: Int) throws(AttentionError) -> Tensor<Element> {
      try rows.sliced(axis: 1, index * width..<(index + 1) * width)
        .reshaped(to: [rows.shape[0], heads, width / heads])
    }
    return try attend(
      .packed(operand(0), lengths: lengths),
      KeyValues(packedKeys: operand(1), values: operand(2), lengths: lengths))
  }
}
