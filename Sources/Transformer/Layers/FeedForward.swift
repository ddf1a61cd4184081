import LinearAlgebra
import Parallelism
import Tensors

/// The layer between attentions, a token at a time.
///
///     gated:   down(f(gate(x)) · up(x))          Shazeer 2020, "GLU Variants Improve Transformer"
///     plain:   down(f(up(x)))
struct FeedForward: Sendable {
  enum Opening: Sendable {
    /// `[gate; up]`, one product.
    case gated(Linear)
    case plain(Linear)
  }

  let opening: Opening
  let activation: Activation
  let down: Linear

  /// The width between the products.
  var innerWidth: Int { down.inputWidth }

  /// Columns of the working memory.
  var scratchWidth: Int {
    switch opening {
    case .gated(let linear), .plain(let linear): linear.outputWidth
    }
  }

  /// - Parameters:
  ///   - scratch: ``scratchWidth`` columns.
  ///   - outputs: the residual stream where `adding`, else memory for the result.
  ///   - prepare: writes a row of inputs.
  func run(
    _ scratch: RowMatrix, to outputs: RowMatrix, adding: Bool, on pool: WorkerPool,
    preparing prepare: (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    let rows = outputs.rows
    switch opening {
    case .gated(let linear):
      linear.write(rows: rows, to: scratch.base, stride: scratch.width, on: pool, preparing: prepare)
      down.write(rows: rows, to: outputs.base, stride: outputs.width, adding: adding, on: pool) {
        row, target in
        activation.apply(
          to: scratch[row], times: scratch[row] + innerWidth, count: innerWidth, into: target)
      }
    case .plain(let linear):
      linear.write(rows: rows, to: scratch.base, stride: scratch.width, on: pool, preparing: prepare)
      down.write(rows: rows, to: outputs.base, stride: outputs.width, adding: adding, on: pool) {
        row, target in
        activation.apply(to: scratch[row], times: nil, count: innerWidth, into: target)
      }
    }
  }
}
