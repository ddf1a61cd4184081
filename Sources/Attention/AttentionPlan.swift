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
    /// SIMD tiles whose lanes are queries.
    case fused
    /// Few queries: keys and values stream past all of them once.
    case decode
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
  public let workspaceBytesPerThread: Int

  let tasks: BlockSchedule
  let transposesKeys: Bool
  private let kernelSet: String
  private let sizes: AttentionSizes
  private let blockCount: Int
  private let scoring: [String]
  private let elementType: ElementType
  private let accumulatorType: ElementType
  private let readsInPlace: (keys: Bool, values: Bool)

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
    self.kernel = .gemm
    self.sizes = problem.sizes
    self.elementType = problem.elementType
    self.accumulatorType = problem.accumulatorType
    self.scoring = problem.scoring.names + (problem.sinks == nil ? [] : ["sinks"])
    let tasks = BlockSchedule(problem, threads: max(1, threads), variant)
    let whole = SequenceExtent(queryCount: problem.sizes.queryCount, keyCount: problem.sizes.keyCount)
    // The sequence with the most work, which comes first; one as long as all where none has any.
    let tiles = tasks.groups.first?.tiles ?? GEMMTiles(problem, whole, variant)
    self.tasks = tasks
    self.queryTile = tiles.rows
    self.keyTile = tiles.keys
    self.edgeTile = tiles.edgeKeys
    self.transposesKeys = tiles.workspace.transposesKeys
    self.kernelSet = variant.setName
    self.readsInPlace = (tiles.readsKeysInPlace, tiles.readsValuesInPlace)
    self.workspaceBytesPerThread =
      tasks.groups.map(\.tiles.workspace.byteCount).max() ?? tiles.workspace.byteCount
    self.taskCount = tasks.count
    self.blockCount = tasks.groups.reduce(0) { $0 + $1.blockCount }
    self.threads = tasks.operations < Self.fewestSharedOperations ? 1 : max(1, min(threads, taskCount))
  }

  /// Waking a worker takes microseconds; below about as much arithmetic one thread finishes sooner.
  private static let fewestSharedOperations = 1e6

  /// Several lines: kernel, tiles, tasks, memory, and the reason of each.
  public var description: String {
    func how(_ inPlace: Bool) -> String {
      if inPlace { return "read in place" }
      return elementType == accumulatorType
        ? "gathered a tile at a time for their strides"
        : "converted from \(elementType) to \(accumulatorType) a tile at a time"
    }
    func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
    let sequences = tasks.groups.count > 1 ? "longest first" : "of one size"
    let isSmall = tasks.operations < Self.fewestSharedOperations
    return """
      kernel     \(kernel.rawValue): CBLAS tiles (OpenBLAS core \(BLASRuntime.coreName)), softmax with \(kernelSet) between them
      tiles      \(queryTile) query rows × \(keyTile) keys (\(edgeTile) where some rows do not see all), \
      \(count(sizes.groupSize, "query head")) of a group stacked as rows
      keys       \(how(readsInPlace.keys))\(transposesKeys ? ", transposed for OpenBLAS's small-matrix kernels" : ""); values \(how(readsInPlace.values))
      scores     in \(accumulatorType)\(scoring.isEmpty ? "" : ": \(scoring.joined(separator: ", "))")
      tasks      \(taskCount) of \(count(blockCount, "block")) of query rows (\(count(sizes.batch, "sequence")) \(sequences) × \
      \(count(sizes.keyValueHeads, "key/value head"))), on \(count(threads, "thread"))\(isSmall ? " (too little work to share)" : "")
      workspace  \(workspaceBytesPerThread) bytes a thread, beside OpenBLAS's own buffers; bounded for any number of queries and keys
      """
  }
}
