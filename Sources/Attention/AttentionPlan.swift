import LinearAlgebra
import Parallelism

/// How a problem will be computed: the kernel, its tiles, the tasks that threads take, and the memory that each needs.
///
/// The tiles follow from the sizes of one (sequence, head) alone, and they alone decide how results are rounded: those do not
/// depend on the thread count or on what else is in the batch. ``taskCount`` and ``threads`` only say who computes which
/// tiles. Printing a plan says why it is what it is.
public struct AttentionPlan: Sendable, CustomStringConvertible {
  /// The ways to compute attention.
  public enum Kernel: String, Sendable, CaseIterable {
    /// Tiles of Q·Kᵀ and weights·V through CBLAS, with a running softmax between them. Any CPU, any type.
    case gemm
  }

  /// The kernel that will run.
  public let kernel: Kernel

  /// Query rows of a tile; the query heads of a group are stacked as its rows.
  public let queryTile: Int

  /// Keys of a tile that every row sees, at most.
  public let keyTile: Int

  /// Keys of a tile that some rows do not see, at most: narrow, because what a row does not see is computed in vain.
  let edgeTile: Int

  /// Pieces of work that a thread takes at a time: a block of query rows of one key/value head, or several where they are short.
  public let taskCount: Int

  /// Threads that will take part, at most.
  public let threads: Int

  /// Scratch memory that each thread keeps, in bytes: at most 2 MiB however many queries and keys there are, unless a single row
  /// and 4 keys are wider. OpenBLAS's own packing buffers come on top of it where it uses them.
  public var workspaceBytesPerThread: Int { workspace.byteCount }

  let transposesKeys: Bool
  private let kernelSet: String
  let workspace: GEMMWorkspaceLayout
  private let blocksPerHead: Int
  private let blockCount: Int
  private let blocksPerTask: Int
  private let startsWithLastRows: Bool
  private let sizes: AttentionSizes
  private let elementType: ElementType
  private let readsInPlace: (keys: Bool, values: Bool)

  /// The plan for a call with these arguments; nothing is computed.
  ///
  /// - Throws: ``AttentionError``, as the call itself would.
  public init<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    let inputs = AttentionInputs(queries: queries, keys: keys, values: values)
    self.init(try AttentionProblem(inputs, scale: scale, mask: mask), threads: pool.threadCount, .best)
  }

  init(_ problem: AttentionProblem, threads: Int, _ variant: KernelVariant) {
    let sizes = problem.sizes
    self.kernel = .gemm
    self.sizes = sizes
    self.elementType = problem.elementType
    let tiles = GEMMTiles(problem, variant)
    self.queryTile = tiles.rows
    self.keyTile = tiles.keys
    self.edgeTile = tiles.edgeKeys
    self.kernelSet = variant.setName
    self.transposesKeys = tiles.transposesKeys
    self.workspace = tiles.workspace
    self.readsInPlace = (tiles.readsKeysInPlace, tiles.readsValuesInPlace)
    let rows = sizes.groupSize * sizes.queryCount
    self.blocksPerHead = (rows + tiles.rows - 1) / tiles.rows
    self.blockCount = sizes.batch * sizes.keyValueHeads * blocksPerHead
    self.blocksPerTask = tiles.blocksPerTask(sizes, blockCount: blockCount, threads: max(1, threads))
    self.taskCount = (blockCount + blocksPerTask - 1) / blocksPerTask
    self.startsWithLastRows = !problem.visibility.isUnrestricted
    self.threads = Self.isTooSmallToShare(sizes) ? 1 : max(1, min(threads, taskCount))
  }

  /// The blocks that a task computes, one after the other.
  func blocks(of task: Int) -> Range<Int> {
    task * blocksPerTask..<min((task + 1) * blocksPerTask, blockCount)
  }

  /// Whether a block is the first of its head to be computed.
  func startsHead(_ number: Int) -> Bool { number.isMultiple(of: blocksPerHead) }

  /// Blocks of a head follow each other, so that its keys and values stay in cache. Where rows do not all see the same keys
  /// the last ones tend to see most (a causal mask): they come first, and what is left for the end is short.
  func block(_ number: Int) -> RowBlock {
    let (pair, place) = number.quotientAndRemainder(dividingBy: blocksPerHead)
    let (sequence, head) = pair.quotientAndRemainder(dividingBy: sizes.keyValueHeads)
    let first = (startsWithLastRows ? blocksPerHead - 1 - place : place) * queryTile
    let rowCount = sizes.groupSize * sizes.queryCount
    return RowBlock(
      sequence: sequence, keyValueHead: head, rows: first..<min(first + queryTile, rowCount),
      groupSize: sizes.groupSize)
  }

  /// Waking a worker takes microseconds; below about as much arithmetic one thread finishes sooner.
  private static func isTooSmallToShare(_ sizes: AttentionSizes) -> Bool {
    let pairs = Double(sizes.batch * sizes.queryHeads) * Double(sizes.queryCount) * Double(sizes.keyCount)
    return 2 * pairs * Double(sizes.headDimension + sizes.valueDimension) < 1e6
  }

  /// Several lines: kernel, tiles, tasks, memory, and the reason of each.
  public var description: String {
    let half = elementType == .float16 || elementType == .bfloat16
    func how(_ inPlace: Bool) -> String {
      inPlace
        ? "read in place"
        : half
          ? "converted from \(elementType) a tile at a time" : "gathered a tile at a time for their strides"
    }
    return """
      kernel     \(kernel.rawValue): CBLAS tiles (OpenBLAS core \(BLASRuntime.coreName)), softmax with \(kernelSet) between them
      tiles      \(queryTile) query rows × \(keyTile) keys (\(edgeTile) where some rows do not see all), \
      \(sizes.groupSize) query head\(sizes.groupSize == 1 ? "" : "s") of a group stacked as rows
      keys       \(how(readsInPlace.keys))\(transposesKeys ? ", transposed for OpenBLAS's small-matrix kernels" : ""); values \(how(readsInPlace.values))
      tasks      \(taskCount), each up to \(blocksPerTask) of \(blockCount) blocks (\(sizes.batch) sequences × \
      \(sizes.keyValueHeads) key/value heads × \(blocksPerHead) blocks of query rows), on \(threads) \
      thread\(threads == 1 ? "" : "s")\(Self.isTooSmallToShare(sizes) ? " (too little work to share)" : "")
      workspace  \(workspaceBytesPerThread) bytes a thread, beside OpenBLAS's own buffers; bounded for any number of queries and keys
      """
  }
}
