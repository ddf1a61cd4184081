import CAttentionKernels

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

  /// Rows of a block at most, where more are asked of this kernel than ``KernelRule`` gives it.
  static let mostRows = 32
  /// Scores of a tile: 16 KiB, so that those of all rows stay in the first-level cache between the passes over them. Shorter tiles alternate
  /// between keys and values more often, and each switch restarts the hardware prefetcher.
  static let mostScores = 4096
  static let mostKeys = 1024
  /// A part of 1024 keys takes some microseconds: many times what it costs to take it from the pool, to load its queries and to merge it,
  /// and short beside all keys of a sequence that is worth sharing.
  static let mostPartKeys = 1024

  init(_ problem: AttentionProblem, _ extent: SequenceExtent) {
    let sizes = problem.sizes
    rows = min(Self.mostRows, max(1, sizes.groupSize * extent.queryCount))
    partKeys = Self.mostPartKeys
    parts = max(1, (extent.keyCount + partKeys - 1) / partKeys)
    keys = max(1, min(Self.mostKeys, Self.mostScores / rows, extent.keyCount))
  }

  /// The workspace that the tiles need, with the rows of so many sequences stacked.
  func workspace(_ problem: AttentionProblem, members: Int = 1) -> TileWorkspaceLayout {
    TileWorkspaceLayout(
      problem,
      TileShape(
        rows: rows * members, keys: keys,
        packedKeys: StreamSource.gatheredRows(columns: problem.sizes.headDimension),
        packedValues: StreamSource.gatheredRows(columns: problem.sizes.valueDimension),
        runs: StreamSource.mostRuns,
        pairsQueries: problem.elementType == .bfloat16 || problem.keys.type.areIntegers))
  }

  /// Key/value heads whose rows one thread reads together, row by row and head by head.
  ///
  /// In pages, and in what a projection writes, a token's heads lie side by side. Reading one head alone jumps from row to row, and the
  /// hardware prefetcher sees no stream; reading all heads of a row, then of the next, is the order of memory. As many heads as the kernel
  /// takes and as leave each thread three pieces of work. It does not touch results: each head's tiles and their order are the same.
  func headsTogether(_ problem: AttentionProblem, threads: Int) -> Int {
    let sizes = problem.sizes
    guard problem.keys.readsHeadsTogether, problem.values.readsHeadsTogether else { return 1 }
    var heads = min(max(1, sizes.keyValueHeads), CAttentionKernels_most_heads)
    while heads > 1 {
      let pieces = sizes.batch * parts * (sizes.keyValueHeads / heads)
      if sizes.keyValueHeads.isMultiple(of: heads) && (pieces >= 3 * threads || threads == 1) { return heads }
      heads -= 1
    }
    return 1
  }
}
