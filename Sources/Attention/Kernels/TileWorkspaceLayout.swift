/// Where the pieces of a thread's workspace lie: byte offsets from a 64-byte-aligned start.
struct TileWorkspaceLayout: Sendable {
  let queries: Int
  let scores: Int
  let output: Int
  let packedKeys: Int
  let transposedKeys: Int
  let packedValues: Int
  let biasRows: Int
  let state: Int
  let ranges: Int
  let byteCount: Int
  /// In elements.
  let scoreStride: Int
  let rows: Int
  /// Whether key tiles are transposed into scratch, so that OpenBLAS's kernels for small matrices take `Q·Kᵀ`.
  let transposesKeys: Bool

  /// - Parameters:
  ///   - scoreColumns: scores of a row, where these are not the keys of a tile.
  ///   - packedKeys: keys that are brought into scratch at a time; 0 where they are read in place.
  ///   - packedValues: values, likewise.
  init(
    scalarSize: Int, rows: Int, keys: Int, scoreColumns: Int? = nil, headDimension: Int, valueDimension: Int,
    packedKeys: Int, packedValues: Int, transposesKeys: Bool
  ) {
    var end = 0
    func place(_ count: Int, _ size: Int) -> Int {
      defer { end += (count * size + 63) / 64 * 64 }
      return end
    }
    // A row stride of a power of two would put the same column of all rows into the same few cache sets.
    self.scoreStride = ((scoreColumns ?? keys) + 15) / 16 * 16 + 16
    self.rows = rows
    self.transposesKeys = transposesKeys
    self.queries = place(rows * headDimension, scalarSize)
    self.scores = place(rows * scoreStride, scalarSize)
    self.output = place(rows * valueDimension, scalarSize)
    self.packedKeys = place(packedKeys * headDimension, scalarSize)
    self.transposedKeys = place(transposesKeys ? scoreStride * headDimension : 0, scalarSize)
    self.packedValues = place(packedValues * valueDimension, scalarSize)
    self.biasRows = place(2 * keys, scalarSize)
    self.state = place(3 * rows, scalarSize)
    self.ranges = place(4 * rows, MemoryLayout<Int32>.size)
    self.byteCount = end
  }

  /// For a problem's own sizes and accumulation type.
  init(
    _ problem: AttentionProblem, rows: Int, keys: Int, packedKeys: Int, packedValues: Int,
    transposesKeys: Bool
  ) {
    let sizes = problem.sizes
    self.init(
      scalarSize: problem.accumulatorType.byteCount, rows: rows, keys: keys,
      headDimension: sizes.headDimension, valueDimension: sizes.valueDimension, packedKeys: packedKeys,
      packedValues: packedValues, transposesKeys: transposesKeys)
  }
}
