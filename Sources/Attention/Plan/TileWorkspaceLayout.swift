import CAttentionKernels

/// Where the pieces of a thread's workspace lie: byte offsets from a 64-byte-aligned start.
struct TileWorkspaceLayout: Sendable {
  let queries: Int
  let pairedQueries: Int
  let scores: Int
  let output: Int
  let packedKeys: Int
  let transposedKeys: Int
  let packedValues: Int
  let biasRows: Int
  let state: Int
  let ranges: Int
  let runs: Int
  let byteCount: Int
  /// In elements.
  let scoreStride: Int
  let rows: Int
  /// Whether key tiles are transposed into scratch, so that OpenBLAS's kernels for small matrices take `Q·Kᵀ`.
  let transposesKeys: Bool

  /// For a problem's own sizes and accumulation type.
  init(_ problem: AttentionProblem, _ tiles: TileShape) {
    let size = problem.accumulatorType.storage.byteCount
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    var end = 0
    func place(_ count: Int, _ size: Int) -> Int {
      defer { end += (count * size + 63) / 64 * 64 }
      return end
    }
    let rows = tiles.rows
    // A row stride of a power of two would put the same column of all rows into the same few cache sets.
    self.scoreStride = ((tiles.scoreColumns ?? tiles.keys) + 15) / 16 * 16 + 16
    self.rows = rows
    self.transposesKeys = tiles.transposesKeys
    self.queries = place(rows * depth, size)
    self.pairedQueries = place(tiles.pairsQueries ? rows * depth : 0, MemoryLayout<UInt16>.size)
    self.scores = place(rows * scoreStride, size)
    self.output = place(tiles.packedValues == 0 ? 0 : rows * width, size)
    self.packedKeys = place(tiles.packedKeys * depth, size)
    self.transposedKeys = place(tiles.transposesKeys ? scoreStride * depth : 0, size)
    self.packedValues = place(tiles.packedValues * width, size)
    self.biasRows = place(2 * tiles.keys, size)
    self.state = place(4 * rows, size)
    self.ranges = place((VisibleRanges.entries + 2) * rows, MemoryLayout<Int32>.size)
    self.runs = place(tiles.runs, MemoryLayout<CAttentionKernels_run>.stride)
    self.byteCount = end
  }
}

/// What a workspace holds at a time.
struct TileShape {
  var rows: Int
  /// Keys of a tile.
  var keys: Int
  /// Scores of a row, where these are not the keys of a tile.
  var scoreColumns: Int?
  /// Keys that are brought into scratch at a time.
  var packedKeys: Int
  /// Values, likewise; 0 where no output is made.
  var packedValues: Int
  var transposesKeys = false
  /// Runs of rows that are streamed at a time.
  var runs = 0
  /// Whether queries are kept in 16 bits too: in bfloat16, or as integers.
  var pairsQueries = false
}
