/// How the rows of scores are cut into blocks: by the sizes of one (sequence, head) alone, whatever else is asked for.
struct ScoreBlocks {
  /// The blocks of one sequence.
  struct Sequence {
    let sequence: Int
    let extent: SequenceExtent
    /// The queries asked for, padding included, and what to add to one for its row of the result.
    let queries: Range<Int>
    let offset: Int
    /// Keys of a product.
    let keyTile: Int
    /// Of a block's workspace, which says how many rows it has.
    let layout: TileWorkspaceLayout

    /// The number of blocks that hold queries asked for.
    var blockCount: Int {
      queries.isEmpty ? 0 : (queries.upperBound - 1) / layout.rows - queries.lowerBound / layout.rows + 1
    }
  }

  private let problem: AttentionProblem
  private let selection: ScoreSelection

  /// Keys of a product: enough for it to run well, few enough that gathered ones stay in cache.
  private static let mostKeys = 256
  /// What the scores and the queries of a block take at most, and likewise a tile of keys, as far as one row and 4 keys allow.
  private static let mostBytes = 1 << 20

  init(_ problem: AttentionProblem, _ selection: ScoreSelection) {
    self.problem = problem
    self.selection = selection
  }

  /// The most blocks of any sequence that is asked for.
  var mostBlocks: Int {
    switch problem.sequences {
    case .same: return selection.sequences.isEmpty ? 0 : of(selection.sequences.lowerBound).blockCount
    case .each: return selection.sequences.reduce(0) { max($0, of($1).blockCount) }
    }
  }

  func of(_ sequence: Int) -> Sequence {
    let extent = problem.sequences.of(sequence)
    let size = problem.accumulatorType.storage.byteCount
    let depth = problem.sizes.headDimension
    let bytes = size * max(1, extent.keyCount + depth)
    let rows = max(1, min(GEMMTiles.mostRows, Self.mostBytes / bytes))
    let keyTile = max(4, min(Self.mostKeys, Self.mostBytes / (size * depth)))
    let (queries, offset) = selection.queries(of: extent, isPacked: problem.layout.isPacked)
    return Sequence(
      sequence: sequence, extent: extent, queries: queries, offset: offset, keyTile: keyTile,
      layout: TileWorkspaceLayout(
        problem,
        TileShape(
          rows: rows, keys: keyTile, scoreColumns: extent.keyCount, packedKeys: keyTile, packedValues: 0)))
  }
}
