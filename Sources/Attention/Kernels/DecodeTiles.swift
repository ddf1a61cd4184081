/// How the decode kernel cuts a sequence's keys: into parts that threads share, and parts into tiles.
///
/// The sizes follow from those of one (sequence, head): however many threads there are, the same parts are merged in the same order.
struct DecodeTiles: Sendable {
  /// Query rows of a block: few by ``KernelRule``, all of a group's heads.
  let rows: Int
  /// Keys of a tile: its scores and values stay in the first-level cache between the passes over them.
  let keys: Int
  /// Keys of a part.
  let partKeys: Int
  let parts: Int
  let workspace: TileWorkspaceLayout

  /// Rows of a block at most, where more are asked of this kernel than ``KernelRule`` gives it.
  static let mostRows = 16
  static let mostKeys = 128
  /// A part of 512 keys takes some microseconds: many times what it costs to take it from the pool and to merge it, and short beside
  /// all keys of a sequence that is worth sharing.
  static let mostPartKeys = 512

  init(_ problem: AttentionProblem, _ extent: SequenceExtent) {
    let sizes = problem.sizes
    rows = min(Self.mostRows, max(1, sizes.groupSize * extent.queryCount))
    partKeys = Self.mostPartKeys
    parts = max(1, (extent.keyCount + partKeys - 1) / partKeys)
    // Wide heads: tiles are gathered where they cannot be read in place, and have to stay small.
    let widest = max(sizes.headDimension, sizes.valueDimension)
    keys = max(1, min(Self.mostKeys, max(extent.keyCount, 1), (1 << 17) / widest))
    workspace = TileWorkspaceLayout(
      scalarSize: MemoryLayout<Float>.size, rows: rows, keys: keys, headDimension: sizes.headDimension,
      valueDimension: sizes.valueDimension, packsKeys: true, packsValues: true, transposesKeys: false)
  }
}
