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
    /// Register-blocked SIMD tiles with the softmax between the two products. Float32 and half types; no tensor masks, no modifiers.
    case fused
    /// Few queries: each key and value is read once, at memory speed, keys shared by threads. Float32 and half types.
    case decode
  }

  /// The kernel that will run; where sequences of different sizes have different ones, that of the most work.
  public let kernel: Kernel

  /// Query rows of a tile; the query heads of a group are stacked as its rows.
  public let queryTile: Int

  /// Keys of a tile, at most.
  public let keyTile: Int

  /// Pieces of work that a thread takes at a time: a block of query rows of one key/value head, or several where they are short, or a
  /// part of its keys.
  public let taskCount: Int

  /// Threads that will take part, at most.
  public let threads: Int

  /// Scratch memory that each thread keeps, in bytes: at most 2 MiB however many queries and keys there are, unless a single row
  /// and 4 keys are wider. OpenBLAS's own packing buffers come on top of it where it uses them.
  public let workspaceBytesPerThread: Int

  let tasks: BlockSchedule
  let tiles: BlockTiles
  let reason: KernelRule.Reason
  let kernelSet: String
  let panelRows: Int
  let sizes: AttentionSizes
  let blockCount: Int
  let scoring: [String]
  let hasSinks: Bool
  let elementType: ElementType
  let accumulatorType: ElementType
  let readsInPlace: (keys: Bool, values: Bool)

  /// The plan for a call with these arguments; nothing is computed.
  ///
  /// - Throws: ``AttentionError``, as the call itself would.
  public init<Element: AttentionElement>(
    queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    try self.init(
      queries: queries, keyValues: KeyValues(keys: keys, values: values), scale: scale, mask: mask,
      options: options, on: pool)
  }

  /// The plan for a call with keys and values from any source.
  ///
  /// - Throws: ``AttentionError``, as the call itself would.
  public init<Element: AttentionElement>(
    queries: Tensor<Element>, keyValues: KeyValues<Element>, scale: Double? = nil,
    mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(), on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    let inputs = AttentionInputs(
      queries: queries, keyValues: keyValues, scale: scale, mask: mask, options: options)
    self.init(try AttentionProblem(inputs), threads: pool.threadCount, .best)
  }

  /// The plan for a call with packed sequences.
  ///
  /// - Throws: ``AttentionError``, as the call itself would.
  public init<Element: AttentionElement>(
    packedQueries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>,
    sequences: PackedSequences,
    scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(),
    on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    let inputs = try AttentionInputs(
      packedQueries: packedQueries, keys: keys, values: values, sequences, scale, mask, options)
    self.init(try AttentionProblem(inputs), threads: pool.threadCount, .best)
  }

  init(_ problem: AttentionProblem, threads: Int, _ variant: KernelVariant) {
    self.sizes = problem.sizes
    self.elementType = problem.elementType
    self.accumulatorType = problem.accumulatorType
    self.scoring = problem.scoring.names
    self.panelRows = variant.kernels.pointee.panel_rows
    self.hasSinks = problem.sinks != nil
    let tasks = BlockSchedule(problem, threads: max(1, threads), variant)
    // The sequence with the most work, which comes first; one as long as all where none has any.
    let groups = tasks.groups.all
    let extent =
      groups.first?.extent
      ?? SequenceExtent(queryCount: problem.sizes.queryCount, keyCount: problem.sizes.keyCount)
    let tiles = groups.first?.tiles ?? BlockTiles(problem, extent, variant)
    self.tasks = tasks
    self.tiles = tiles
    self.kernel = tiles.kernel
    self.reason = KernelRule(problem, extent, variant).reason
    self.queryTile = tiles.rows
    self.keyTile = tiles.keys
    self.kernelSet = variant.setName
    func bytes(_ tiles: BlockTiles) -> Int { tiles.workspaceBytes(problem, variant.kernels) }
    self.workspaceBytesPerThread = groups.reduce(bytes(tiles)) { max($0, bytes($1.tiles)) }
    self.readsInPlace = (
      problem.keys.isReadInPlace(problem.accumulatorType, columns: problem.sizes.headDimension),
      problem.values.isReadInPlace(problem.accumulatorType, columns: problem.sizes.valueDimension)
    )
    self.taskCount = tasks.count
    self.blockCount = groups.reduce(0) { $0 + $1.blockCount }
    self.threads = tasks.threads
  }
}
