import CAttentionKernels
import LinearAlgebra

/// A thread's workspace, cut into the pieces that one task uses.
struct TileWorkspace<Scalar: AttentionAccumulator> {
  private(set) var queries: UnsafeMutablePointer<Scalar>
  /// The same rows in bfloat16, or as integers of 16 bits, where tiles keep them.
  private(set) var pairedQueries: UnsafeMutablePointer<UInt16>
  /// The scales of rows of integers.
  private(set) var queryScales: UnsafeMutablePointer<Scalar>
  private(set) var scores: UnsafeMutablePointer<Scalar>
  private(set) var scoreStride: Int
  private(set) var output: UnsafeMutablePointer<Scalar>
  let packedKeys: UnsafeMutablePointer<Scalar>
  /// Whether there is room for a transposed key tile: sequences of one call differ in that.
  let transposesKeys: Bool
  let transposedKeys: UnsafeMutablePointer<Scalar>
  let packedValues: UnsafeMutablePointer<Scalar>
  /// Runs of streamed rows, where tiles have any.
  let runs: UnsafeMutablePointer<CAttentionKernels_run>
  /// Two rows of a tile's width.
  let biasRows: UnsafeMutablePointer<Scalar>
  private(set) var softmax: OnlineSoftmax<Scalar>
  /// The keys that each row sees, in all and relative to a tile.
  private(set) var ranges: VisibleRanges
  private(set) var tileBegin: UnsafeMutablePointer<Int32>
  private(set) var tileEnd: UnsafeMutablePointer<Int32>

  init(_ memory: UnsafeMutableRawBufferPointer, _ layout: TileWorkspaceLayout) {
    guard let base = memory.baseAddress, memory.count >= layout.byteCount else {
      preconditionFailure("a workspace of \(memory.count) bytes, \(layout.byteCount) needed")
    }
    func piece<T>(_ offset: Int, _: T.Type) -> UnsafeMutablePointer<T> {
      (base + offset).assumingMemoryBound(to: T.self)
    }
    queries = piece(layout.queries, Scalar.self)
    pairedQueries = piece(layout.pairedQueries, UInt16.self)
    scores = piece(layout.scores, Scalar.self)
    scoreStride = layout.scoreStride
    transposesKeys = layout.transposesKeys
    output = piece(layout.output, Scalar.self)
    packedKeys = piece(layout.packedKeys, Scalar.self)
    transposedKeys = piece(layout.transposedKeys, Scalar.self)
    packedValues = piece(layout.packedValues, Scalar.self)
    biasRows = piece(layout.biasRows, Scalar.self)
    runs = piece(layout.runs, CAttentionKernels_run.self)
    let state = piece(layout.state, Scalar.self)
    softmax = OnlineSoftmax(maximum: state, sum: state + layout.rows, rescale: state + 2 * layout.rows)
    queryScales = state + 3 * layout.rows
    let memory = piece(layout.ranges, Int32.self)
    ranges = VisibleRanges(memory, stride: layout.rows)
    tileBegin = memory + VisibleRanges.entries * layout.rows
    tileEnd = tileBegin + layout.rows
  }

  /// The workspace of the rows from this one on: what is not a row's own they have in common with those before.
  func from(_ row: Int, depth: Int, width: Int) -> TileWorkspace {
    var part = self
    part.queries += row * depth
    part.pairedQueries += row * depth
    part.queryScales += row
    part.scores += row * scoreStride
    part.output += row * width
    part.softmax = softmax.from(row)
    part.ranges = ranges.from(row)
    part.tileBegin += row
    part.tileEnd += row
    return part
  }

  /// The same with scores elsewhere: their rows lie `stride` numbers apart.
  func withScores(_ scores: UnsafeMutablePointer<Scalar>, stride: Int) -> TileWorkspace {
    var other = self
    (other.scores, other.scoreStride) = (scores, stride)
    return other
  }

  /// The rows of scores from this one on.
  func scoreRows(from row: Int) -> MutableMatrixOperand<Scalar> {
    MutableMatrixOperand(scores + row * scoreStride, leadingDimension: scoreStride)
  }
}
