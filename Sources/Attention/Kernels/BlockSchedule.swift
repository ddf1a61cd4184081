/// Which blocks of query rows a problem has, and which of them a thread takes at a time.
///
/// Sequences of one size form one group; of different sizes, a group each, the most work first: what is left for the end is short,
/// and all threads finish together. The schedule says who computes what; results do not depend on it.
struct BlockSchedule: Sendable {
  /// Never empty tasks: groups without queries are left out.
  let groups: [BlockGroup]
  /// How many tasks there are.
  let count: Int
  /// Multiplications and additions of all blocks, masks not counted.
  let operations: Double

  init(_ problem: AttentionProblem, threads: Int, _ variant: KernelVariant) {
    var groups: [BlockGroup] = []
    switch problem.sequences {
    case .same(let extent):
      groups.append(
        BlockGroup(problem, extent, 0..<problem.sizes.batch, BlockTiles(problem, extent, variant)))
    case .each(let extents):
      var tiles: (extent: SequenceExtent, tiles: BlockTiles)?
      for (sequence, extent) in extents.enumerated() {
        // Neighbours are often alike.
        if tiles?.extent.queryCount != extent.queryCount || tiles?.extent.keyCount != extent.keyCount {
          tiles = (extent, BlockTiles(problem, extent, variant))
        }
        if let tiles { groups.append(BlockGroup(problem, extent, sequence..<sequence + 1, tiles.tiles)) }
      }
    }
    groups.removeAll { $0.blockCount == 0 }
    let operations = groups.reduce(0) { $0 + $1.operationsPerBlock * Double($1.blockCount) }
    // By index where work is equal: the order must not depend on how sorting treats ties.
    groups.sort {
      ($1.operationsPerBlock * Double($1.blocksPerHead), $0.sequences.lowerBound)
        < ($0.operationsPerBlock * Double($0.blocksPerHead), $1.sequences.lowerBound)
    }
    var task = 0
    var partialRow = 0
    for index in groups.indices {
      groups[index].cutTasks(from: task, operations, threads: threads)
      task = groups[index].tasks.upperBound
      groups[index].firstPartialRow = partialRow
      partialRow += groups[index].partialRows
    }
    self.groups = groups
    self.count = task
    self.operations = operations
  }

  /// The group of a task, and its pieces: blocks, or parts of their keys where a group's keys are cut.
  func work(of task: Int) -> (group: BlockGroup, pieces: Range<Int>) {
    var (low, high) = (0, groups.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if task < groups[middle].tasks.upperBound { high = middle } else { low = middle + 1 }
    }
    let group = groups[low]
    let first = (task - group.tasks.lowerBound) * group.blocksPerTask
    return (group, first..<min(first + group.blocksPerTask, group.pieceCount))
  }
}

/// The blocks of sequences of one size.
struct BlockGroup: Sendable {
  let sequences: Range<Int>
  let extent: SequenceExtent
  let tiles: BlockTiles
  let blocksPerHead: Int
  let blockCount: Int
  let operationsPerBlock: Double
  private(set) var tasks = 0..<0
  private(set) var blocksPerTask = 1
  /// Where the group's rows in ``PartialResults`` begin.
  fileprivate(set) var firstPartialRow = 0
  private let keyValueHeads: Int
  private let groupSize: Int
  private let startsWithLastRows: Bool

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ sequences: Range<Int>, _ tiles: BlockTiles) {
    let sizes = problem.sizes
    self.sequences = sequences
    self.extent = extent
    self.tiles = tiles
    self.keyValueHeads = sizes.keyValueHeads
    self.groupSize = sizes.groupSize
    self.startsWithLastRows = !problem.visibility.isUnrestricted
    let rows = sizes.groupSize * extent.queryCount
    self.blocksPerHead = (rows + tiles.rows - 1) / tiles.rows
    self.blockCount = sequences.count * sizes.keyValueHeads * blocksPerHead
    self.operationsPerBlock =
      2 * Double(min(rows, tiles.rows)) * Double(max(1, extent.keyCount))
      * Double(sizes.headDimension + sizes.valueDimension)
  }

  /// What threads share: blocks, or the parts of their keys.
  var pieceCount: Int { blockCount * tiles.parts }

  /// Rows of parts that are merged at the end.
  var partialRows: Int { tiles.parts > 1 ? pieceCount * tiles.rows : 0 }

  /// Pieces that a thread takes at a time: enough short ones for some 40 µs of work, so that it knows which memory comes
  /// next; few enough that each thread has eight turns, and all finish together. It does not touch results.
  fileprivate mutating func cutTasks(from first: Int, _ operations: Double, threads: Int) {
    let operationsPerPiece = operationsPerBlock / Double(tiles.parts)
    let fair = operations / (8 * Double(threads) * operationsPerPiece)
    blocksPerTask = max(1, Int(min(10e6 / operationsPerPiece, 4, fair)))
    tasks = first..<first + (pieceCount + blocksPerTask - 1) / blocksPerTask
  }

  /// Whether a block is the first of its head to be computed.
  func startsHead(_ number: Int) -> Bool { number.isMultiple(of: blocksPerHead) }

  /// Blocks of a head follow each other, so that its keys and values stay in cache. Where rows do not all see the same keys
  /// the last ones tend to see most (a causal mask): they come first, and what is left for the end is short.
  func block(_ number: Int) -> RowBlock {
    let (pair, place) = number.quotientAndRemainder(dividingBy: blocksPerHead)
    let (sequence, head) = pair.quotientAndRemainder(dividingBy: keyValueHeads)
    let first = (startsWithLastRows ? blocksPerHead - 1 - place : place) * tiles.rows
    return RowBlock(
      sequence: sequences.lowerBound + sequence, extent: extent, keyValueHead: head,
      heads: head * groupSize..<(head + 1) * groupSize,
      rows: first..<min(first + tiles.rows, groupSize * extent.queryCount))
  }
}
