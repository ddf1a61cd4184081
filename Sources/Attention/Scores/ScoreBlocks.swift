/// How the rows of scores are cut into blocks: by the sizes of one (sequence, head) alone, whatever else is asked for.
struct ScoreBlocks {
  /// The blocks of one sequence.
  struct Sequence {
    let sequence: Int
    let extent: SequenceExtent
    /// Rows that are computed, and keys: those of the sequence, or of its tensors where stages before masks are asked for.
    let queryCount: Int
    let keyCount: Int
    /// Rows of a block, and keys of a product.
    let rows: Int
    let keyTile: Int
    let layout: TileWorkspaceLayout
  }

  /// The most blocks that hold rows asked for, of any sequence.
  let mostBlocks: Int
  private let problem: AttentionProblem
  private let ignoresMasks: Bool

  /// Keys of a product: enough for it to run well, few enough that gathered ones stay in cache.
  private static let mostKeys = 256
  /// What the scores and the queries of a block take at most, and likewise a tile of keys, as far as one row and 4 keys allow.
  private static let mostBytes = 1 << 20

  init(_ problem: AttentionProblem, _ selection: ScoreSelection) {
    self.problem = problem
    self.ignoresMasks = selection.stage == .scaled || selection.stage == .softcapped
    self.mostBlocks = Self.mostBlocks(problem, selection.queries, ignoresMasks)
  }

  private static func mostBlocks(
    _ problem: AttentionProblem, _ queries: Range<Int>, _ ignoresMasks: Bool
  ) -> Int {
    if queries.isEmpty || problem.sizes.batch == 0 { return 0 }
    func count(_ sequence: Int) -> Int {
      let rows = rows(problem, keyCount(problem, sequence, ignoresMasks))
      return (queries.upperBound - 1) / rows - queries.lowerBound / rows + 1
    }
    switch problem.sequences {
    case .same: return count(0)
    case .each(let extents): return extents.indices.reduce(0) { max($0, count($1)) }
    }
  }

  private static func keyCount(_ problem: AttentionProblem, _ sequence: Int, _ ignoresMasks: Bool) -> Int {
    ignoresMasks ? problem.sizes.keyCount : problem.sequences.of(sequence).keyCount
  }

  private static func rows(_ problem: AttentionProblem, _ keyCount: Int) -> Int {
    let bytes = problem.accumulatorType.byteCount * max(1, keyCount + problem.sizes.headDimension)
    return max(1, min(GEMMTiles.mostRows, mostBytes / bytes))
  }

  func of(_ sequence: Int) -> Sequence {
    let sizes = problem.sizes
    let extent = problem.sequences.of(sequence)
    let keyCount = Self.keyCount(problem, sequence, ignoresMasks)
    let size = problem.accumulatorType.byteCount
    let rows = Self.rows(problem, keyCount)
    let keyTile = max(4, min(Self.mostKeys, Self.mostBytes / (size * sizes.headDimension)))
    return Sequence(
      sequence: sequence, extent: extent, queryCount: ignoresMasks ? sizes.queryCount : extent.queryCount,
      keyCount: keyCount, rows: rows, keyTile: keyTile,
      layout: TileWorkspaceLayout(
        scalarSize: size, rows: rows, keys: keyTile, scoreColumns: keyCount,
        headDimension: sizes.headDimension, valueDimension: 0,
        packedKeys: problem.keys.isReadInPlace(problem.accumulatorType, columns: sizes.headDimension)
          ? 0 : keyTile,
        packedValues: 0, transposesKeys: false))
  }
}
