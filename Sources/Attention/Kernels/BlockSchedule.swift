/// Which blocks of query rows a problem has, and which of them a thread takes at a time.
///
/// Sequences of one size form one group; of different sizes, a group each, the most work first: what is left for the end is short,
/// and all threads finish together. The schedule says who computes what; results do not depend on it.
struct BlockSchedule: Sendable {
  let groups: BlockGroups
  /// How many tasks there are.
  let count: Int
  /// Threads that take part, at most.
  let threads: Int
  /// Whether there is too little work for more than one thread.
  let isSmall: Bool
  /// Rows of parts that are merged at the end.
  let partialRows: Int
  /// The kernels that some group has.
  let kernels: KernelUse

  init(_ problem: AttentionProblem, threads: Int, _ variant: KernelVariant) {
    var draft = ScheduleDraft(threads: threads)
    switch problem.sequences {
    case .same(let extent):
      var group = BlockGroup(problem, extent, 0..<problem.sizes.batch, BlockTiles(problem, extent, variant))
      draft.operations = group.operations
      draft.place(&group)
      groups = group.blockCount == 0 ? .none : .one(group)
    case .each(let extents):
      var all = Self.groups(of: extents, problem, variant)
      draft.operations = all.reduce(0) { $0 + $1.operations }
      for index in all.indices { draft.place(&all[index]) }
      groups = .many(all)
    }
    count = draft.tasks
    partialRows = draft.partialRows
    kernels = draft.kernels
    isSmall = draft.operations < Self.fewestSharedOperations
    self.threads = isSmall ? 1 : max(1, min(threads, count))
  }

  /// Multiplications and additions below which one thread finishes sooner: waking a worker takes microseconds.
  private static let fewestSharedOperations = 1e6

  /// A group for each sequence that has queries, the most work first.
  private static func groups(
    of extents: [SequenceExtent], _ problem: AttentionProblem, _ variant: KernelVariant
  ) -> [BlockGroup] {
    var groups: [BlockGroup] = []
    var tiles: (extent: SequenceExtent, tiles: BlockTiles)?
    for (sequence, extent) in extents.enumerated() {
      // Neighbours are often alike.
      if tiles?.extent.queryCount != extent.queryCount || tiles?.extent.keyCount != extent.keyCount {
        tiles = (extent, BlockTiles(problem, extent, variant))
      }
      if let tiles { groups.append(BlockGroup(problem, extent, sequence..<sequence + 1, tiles.tiles)) }
    }
    groups.removeAll { $0.blockCount == 0 }
    // By index where work is equal: the order must not depend on how sorting treats ties.
    groups.sort {
      ($1.operationsPerBlock * Double($1.blocksPerHead), $0.sequences.lowerBound)
        < ($0.operationsPerBlock * Double($0.blocksPerHead), $1.sequences.lowerBound)
    }
    return groups
  }

  /// The group of a task, and its pieces: blocks, or parts of their keys where a group's keys are cut.
  func work(of task: Int) -> (group: BlockGroup, pieces: Range<Int>) {
    let group = group(of: task)
    let first = (task - group.tasks.lowerBound) * group.blocksPerTask
    return (group, first..<min(first + group.blocksPerTask, group.pieceCount))
  }

  private func group(of task: Int) -> BlockGroup {
    switch groups {
    case .none: preconditionFailure("task \(task) of none")
    case .one(let group): return group
    case .many(let groups):
      var (low, high) = (0, groups.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if task < groups[middle].tasks.upperBound { high = middle } else { low = middle + 1 }
      }
      return groups[low]
    }
  }
}

/// The groups of a schedule, none of them without blocks. The usual single one lies in place: an array would be allocated for each call.
enum BlockGroups: Sendable {
  case none
  case one(BlockGroup)
  case many([BlockGroup])

  /// Goes through the groups in their order.
  func forEach(_ body: (BlockGroup) -> Void) {
    switch self {
    case .none: break
    case .one(let group): body(group)
    case .many(let groups): groups.forEach(body)
    }
  }

  /// All groups in their order.
  var all: [BlockGroup] {
    switch self {
    case .none: []
    case .one(let group): [group]
    case .many(let groups): groups
    }
  }
}

/// Which kernels are used.
struct KernelUse: Sendable {
  var gemm = false
  var fused = false
  var decode = false
}

/// What a schedule comes to as its groups are placed one after the other.
private struct ScheduleDraft {
  let threads: Int
  /// Of all groups.
  var operations = 0.0
  var tasks = 0
  var partialRows = 0
  var kernels = KernelUse()

  init(threads: Int) { self.threads = threads }

  mutating func place(_ group: inout BlockGroup) {
    if group.blockCount == 0 { return }
    group.cutTasks(from: tasks, operations, threads: threads)
    tasks = group.tasks.upperBound
    group.firstPartialRow = partialRows
    partialRows += group.partialRows
    switch group.tiles {
    case .gemm: kernels.gemm = true
    case .fused: kernels.fused = true
    case .decode: kernels.decode = true
    }
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

  /// Multiplications and additions, masks not counted.
  var operations: Double { operationsPerBlock * Double(blockCount) }

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
