/// Which blocks of query rows a problem has, and which of them a thread takes at a time.
///
/// Sequences of one size form one group; of different sizes, a group each, the most work first: what is left for the end is short,
/// and all threads finish together. Groups that are limited by arithmetic and groups that are limited by memory take turns: one thread
/// computes while another reads. The schedule says who computes what; results do not depend on it.
struct BlockSchedule: Sendable {
  let groups: BlockGroups
  /// How many tasks there are.
  let count: Int
  /// How many of them, the first ones, are limited by arithmetic; the others stream keys and values.
  private let computedTasks: Int
  /// Threads that take part, at most.
  let threads: Int
  /// Whether there is too little work for more than one thread.
  let isSmall: Bool
  /// Rows of parts that are merged at the end.
  let partialRows: Int

  init(_ problem: AttentionProblem, threads: Int, _ variant: KernelVariant) {
    var draft = ScheduleDraft(threads: threads)
    var sharedPieces = 0
    switch Self.sequences(problem, variant) {
    case .same(let extent):
      var group = BlockGroup(
        problem, extent, 0..<problem.sizes.batch, BlockTiles(problem, extent, variant), threads: threads)
      draft.operations = group.operations
      draft.place(&group)
      groups = group.blockCount == 0 ? .none : .one(group)
    case .each(let extents):
      var all = Self.groups(of: extents, problem, threads: threads, variant)
      draft.operations = all.reduce(0) { $0 + $1.operations }
      let shared = SharedParts(all, problem)
      for index in all.indices {
        all[index].sharedParts = shared.count(ofGroup: index)
        draft.place(&all[index])
      }
      groups = .many(all, shared: shared)
      sharedPieces = shared.pieces.count * problem.sizes.keyValueHeads
    }
    count = draft.tasks
    computedTasks = draft.computedTasks
    partialRows = draft.partialRows
    isSmall = draft.operations < Self.fewestSharedOperations
    self.threads = isSmall ? 1 : max(1, min(threads, max(count, sharedPieces)))
  }

  /// The extents of all sequences: of alike ones each by itself where they share rows of keys.
  private static func sequences(_ problem: AttentionProblem, _ variant: KernelVariant) -> SequenceExtents {
    switch problem.sequences {
    case .each: return problem.sequences
    case .same(let extent):
      let part = 0..<DecodeTiles.mostPartKeys
      let mayShare =
        problem.sizes.batch > 1 && extent.keyCount > part.count && problem.keys.hasSameRows(0, 1, in: part)
        && KernelRule(problem, extent, variant).kernel == .decode
      return mayShare ? .each([SequenceExtent](repeating: extent, count: problem.sizes.batch)) : .same(extent)
    }
  }

  /// Multiplications and additions below which one thread finishes sooner: waking a worker takes microseconds.
  private static let fewestSharedOperations = 1e6

  /// A group for each sequence that has queries, the most work first.
  private static func groups(
    of extents: [SequenceExtent], _ problem: AttentionProblem, threads: Int, _ variant: KernelVariant
  ) -> [BlockGroup] {
    var groups: [BlockGroup] = []
    groups.reserveCapacity(extents.count)
    var tiles: (extent: SequenceExtent, tiles: BlockTiles)?
    for (sequence, extent) in extents.enumerated() {
      // Neighbours are often alike.
      if tiles?.extent.queryCount != extent.queryCount || tiles?.extent.keyCount != extent.keyCount {
        tiles = (extent, BlockTiles(problem, extent, variant))
      }
      if let tiles {
        groups.append(
          BlockGroup(problem, extent, sequence..<sequence + 1, tiles.tiles, threads: threads))
      }
    }
    // Keys are sorted and not the groups, which are large. By index where work is equal: the order must not depend on how sorting treats ties.
    var order: [(isStreamed: Bool, work: Double, index: Int)] = []
    order.reserveCapacity(groups.count)
    for (index, group) in groups.enumerated() where group.blockCount > 0 {
      let work = group.operationsPerBlock * Double(group.blocksPerHead)
      order.append((group.tiles.isStreamed, work, index))
    }
    order.sort { a, b in
      if a.isStreamed != b.isStreamed { return b.isStreamed }
      return a.work != b.work ? a.work > b.work : a.index < b.index
    }
    return order.map { groups[$0.index] }
  }

  /// Whether each thread takes a contiguous share of the tasks, and then helps the others. So it is where memory limits all of them, and in
  /// one group: neighbours read the same keys and values, and a thread that knows its next block prefetches it. Several groups are taken in
  /// their order, the most work first.
  var areShared: Bool {
    switch groups {
    case .none, .one: true
    case .many: computedTasks == 0
    }
  }

  /// The task that is taken after `taken` others: of either kind in proportion to what there is of it.
  func task(after taken: Int) -> Int {
    let computed = taken * computedTasks / count
    return (taken + 1) * computedTasks / count > computed ? computed : computedTasks + taken - computed
  }

  /// The group of a task.
  func group(of task: Int) -> BlockGroup {
    switch groups {
    case .none: preconditionFailure("task \(task) of none")
    case .one(let group): return group
    case .many(let groups, _):
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
  /// What their sequences have in common is computed before all tasks.
  case many([BlockGroup], shared: SharedParts)

  /// Goes through the groups in their order.
  func forEach(_ body: (BlockGroup) -> Void) {
    switch self {
    case .none: break
    case .one(let group): body(group)
    case .many(let groups, _): groups.forEach(body)
    }
  }

  /// All groups in their order.
  var all: [BlockGroup] {
    switch self {
    case .none: []
    case .one(let group): [group]
    case .many(let groups, _): groups
    }
  }
}

/// What a schedule comes to as its groups are placed one after the other.
private struct ScheduleDraft {
  let threads: Int
  /// Of all groups.
  var operations = 0.0
  var tasks = 0
  var computedTasks = 0
  var partialRows = 0

  init(threads: Int) { self.threads = threads }

  mutating func place(_ group: inout BlockGroup) {
    if group.blockCount == 0 { return }
    group.cutTasks(from: tasks, operations, threads: threads)
    tasks = group.tasks.upperBound
    if !group.tiles.isStreamed { computedTasks = tasks }
    group.firstPartialRow = partialRows
    partialRows += group.partialRows
  }
}
