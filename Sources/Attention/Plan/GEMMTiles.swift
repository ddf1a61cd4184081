/// The tile sizes of the GEMM kernel for one problem.
///
/// Tiles depend on the sizes of one (sequence, head) alone: same tiles, same rounding, whatever runs beside.
struct GEMMTiles: Sendable {
  let rows: Int
  let keys: Int
  let edgeKeys: Int
  /// Whether key tiles are transposed into scratch, so that OpenBLAS's kernels for small matrices take `Q·Kᵀ`.
  let transposesKeys: Bool

  /// Rows: sgemm packs a key tile anew for each row block, which 128 rows and more make cheap; the diagonal of a causal
  /// mask wastes half a block, which more rows make dear.
  static let mostRows = 192
  /// Keys: the score tile (192 × 512 floats, 384 KiB) stays in an L2 of 1 MiB beside the packed operands.
  static let mostKeys = 512
  /// Keys where products go to kernels for small matrices: 256 keep strips of 60 rows at `D = 64`.
  static let mostSmallKeys = 256
  /// Transposing a key tile costs as much as about 15 rows of products with it: a third of 48, which the faster kernels win back.
  static let fewestRowsToTranspose = 48
  /// Keys at the edge of what a block sees.
  static let mostEdgeKeys = 128
  /// What a thread keeps at most, as far as tiles of one row and 4 keys allow: half of the 4 MiB that the engine promises.
  static let mostWorkspaceBytes = 2 << 20

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ variant: KernelVariant) {
    let sizes = problem.sizes
    let rowCount = sizes.groupSize * extent.queryCount
    // A strip of few rows no longer pays; nor does a transposed tile that few rows use.
    let stripRows = (variant.smallProductLimit ?? 0) / (Self.mostSmallKeys * sizes.headDimension)
    let transposes =
      stripRows >= TileProduct<Float>.fewestStripRows && rowCount >= Self.fewestRowsToTranspose
    // As if all were packed: how keys and values lie in memory must not change how results are rounded.
    func isTooLarge(_ rows: Int, _ keys: Int) -> Bool {
      let shape = Self.shape(rows, keys, transposes)
      return TileWorkspaceLayout(problem, shape).byteCount > Self.mostWorkspaceBytes
    }
    var rows = Self.evenShare(of: rowCount, atMost: Self.mostRows)
    var keys = min(transposes ? Self.mostSmallKeys : Self.mostKeys, max(16, extent.keyCount))
    // Wide heads: tiles shrink evenly to sizes that products still run well at, then as far as it takes.
    for (fewestKeys, fewestRows) in [(64, 16), (4, 1)] {
      while isTooLarge(rows, keys), keys > fewestKeys {
        keys = max(fewestKeys, keys / 2)
      }
      while isTooLarge(rows, keys), rows > fewestRows {
        rows = max(fewestRows, rows / 2)
      }
    }
    self.rows = rows
    self.keys = keys
    self.edgeKeys = min(keys, Self.mostEdgeKeys)
    self.transposesKeys = transposes
  }

  /// The workspace that the tiles need, wherever keys and values lie.
  func workspace(_ problem: AttentionProblem) -> TileWorkspaceLayout {
    TileWorkspaceLayout(problem, Self.shape(rows, keys, transposesKeys))
  }

  private static func shape(_ rows: Int, _ keys: Int, _ transposesKeys: Bool) -> TileShape {
    TileShape(rows: rows, keys: keys, packedKeys: keys, packedValues: keys, transposesKeys: transposesKeys)
  }

  /// The size of equal parts of `count` that are at most `limit`, rounded up to whole vectors: 512 rows are 3 × 176, not 192 + 192 + 128.
  static func evenShare(of count: Int, atMost limit: Int) -> Int {
    guard count > 0 else { return 1 }
    let parts = (count + limit - 1) / limit
    let share = (count + parts - 1) / parts
    return min(limit, (share + 15) / 16 * 16)
  }
}

extension RowSource {
  /// Whether every tile can be read where it lies.
  func isReadInPlace(_ type: StorageType, columns: Int) -> Bool {
    isOneRun && canBeBLASOperand(type, columns: columns)
  }
}
