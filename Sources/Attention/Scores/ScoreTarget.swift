import LinearAlgebra
import Parallelism

/// Where scores go: rows of `Tk` numbers of the accumulation type, of the selected sequences, heads and rows.
struct ScoreTarget<Scalar: AttentionAccumulator> {
  private let problem: AttentionProblem
  private let selection: ScoreSelection
  private let base: UnsafeMutableRawPointer
  private let type: StorageType
  private let store: RowKernels<Scalar>.Store

  /// - Parameter target: row-major.
  init<Element: AttentionElement & BLASScalar>(
    _ problem: AttentionProblem, _ selection: ScoreSelection, _ target: MutableTensorView<Element>,
    _ rows: RowKernels<Scalar>
  ) {
    self.problem = problem
    self.selection = selection
    self.base = UnsafeMutableRawPointer(target.base)
    self.type = StorageType(Element.self)
    self.store = rows.store(type)
  }

  /// What stands for a key that is not visible.
  var hidden: Scalar {
    switch selection.stage {
    case .scaled, .softcapped, .biased: -.infinity
    case .weights: 0
    }
  }

  private var rowBytes: Int { problem.sizes.keyCount * type.byteCount }

  /// The place of a row of the result.
  func row(_ sequence: Int, _ head: Int, _ row: Int) -> UnsafeMutableRawPointer {
    let sequence = problem.layout.isPacked ? 0 : sequence - selection.sequences.lowerBound
    let place = (sequence * selection.heads.count + head - selection.heads.lowerBound) * selection.rows.count
    return base + (place + row) * rowBytes
  }

  /// Writes the first scores of a row.
  func write(_ scores: UnsafePointer<Scalar>, count: Int, to row: UnsafeMutableRawPointer) {
    _ = store(row, 1, scores, count, 1)
  }

  /// Hides part of a row.
  func fill(_ row: UnsafeMutableRawPointer, _ columns: Range<Int>) {
    var hidden = hidden
    for column in columns { _ = store(row + column * type.byteCount, 1, &hidden, 1, 1) }
  }

  /// Hides the rows that come after the last packed sequence.
  func clearPadding(on pool: WorkerPool) {
    guard problem.layout.isPacked, !selection.isOneHead else { return }
    for padding in problem.layout.paddedRows {
      let rows = padding.rows.clamped(to: selection.rows)
      for head in selection.heads {
        pool.run(rows.count) { index in
          let place = rows.lowerBound + index - selection.rows.lowerBound
          fill(row(0, head, place), 0..<problem.sizes.keyCount)
        }
      }
    }
  }
}
