import Parallelism

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How a call is computed: the kernel, its tiles, the tasks that threads take, and every byte of scratch memory. It runs, as often as wanted.
///
/// Made by ``ScaledDotProductAttention/plan(_:_:)`` for one call, it serves every call whose tensors have the same sizes, types and
/// lengths: in a model, each layer of a step. A run of the
/// fused or the decode kernel allocates nothing where keys and values lie in tensors, packed or in pages.
///
///     let plan = try attend.plan(q, keyValues(0))
///     for layer in layers { try plan.run(q, keyValues(layer), to: view) }
///
/// The tiles follow from the sizes of one (sequence, head) alone, and they alone decide how results are rounded: those do not
/// depend on the thread count or on what else is in the batch. ``taskCount`` and ``threads`` only say who computes which
/// tiles. Printing a plan says why it is what it is.
///
/// A plan is not `Sendable`: its scratch memory serves one run at a time. It keeps the mask's tensors alive, and no others.
public final class AttentionPlan: CustomStringConvertible {
  /// The ways to compute attention.
  public enum Kernel: String, Sendable, CaseIterable {
    /// Tiles of Q·Kᵀ and weights·V through CBLAS, with a running softmax between them. Any CPU, any type, any mask.
    case gemm
    /// Register-blocked SIMD tiles with the softmax between the two products. Sums in Float; no modifiers.
    case fused
    /// Few queries: each key and value is read once, at memory speed, keys shared by threads. Sums in Float.
    case decode
  }

  let call: PlannedAttention
  private let attention: ScaledDotProductAttention
  private let memory: UnsafeMutableRawBufferPointer

  init(_ call: PlannedAttention, _ attention: ScaledDotProductAttention) throws(AttentionError) {
    let byteCount = max(64, call.scratch.byteCount)
    var memory: UnsafeMutableRawPointer?
    // A cache line, and the width of the widest vector register.
    guard posix_memalign(&memory, 64, byteCount) == 0 else {
      throw call.problem.layout.noScratch(byteCount)
    }
    self.call = call
    self.attention = attention
    self.memory = UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
  }

  deinit { free(memory.baseAddress) }

  /// Computes the planned call for tensors of the same sizes, into memory of the caller's.
  ///
  /// Allocates nothing, but for joined parts.
  /// - Parameters: those of ``ScaledDotProductAttention/write(_:_:to:logSumExp:)``.
  /// - Throws: ``AttentionError`` where a shape, a type or a length is not the one that the plan was made for; nothing is written then.
  public func run<Q: AttentionQueries>(
    _ queries: Q, _ keyValues: KeyValues, to output: MutableTensorView<Q.Element>,
    logSumExp: MutableTensorView<Q.Element.Accumulator>? = nil
  ) throws(AttentionError) {
    let rows = queries.queries.rows
    try call.problem.bind(rows, keyValues)
    try call.checkShared()
    let result = try AttentionResult(output, logSumExp: logSumExp, checkedFor: call.problem.layout)
    call.run(into: result, on: attention.pool, scratch: memory)
    withExtendedLifetime((rows, keyValues)) {}
  }

  // MARK: What it says

  /// The group with the most work, which comes first; nil where there is none.
  private var first: BlockGroup? { call.tasks.groups.all.first }

  /// The kernel that runs; where sequences of different sizes have different ones, that of the most work.
  public var kernel: Kernel { tiles.kernel }

  /// Query rows of a tile; the query heads of a group are stacked as its rows.
  public var queryTile: Int { tiles.rows }

  /// Keys of a tile, at most.
  public var keyTile: Int { tiles.keys }

  /// Pieces of work that a thread takes at a time: a block of query rows of one key/value head, or several where they are short, or a
  /// part of its keys.
  public var taskCount: Int { call.tasks.count }

  /// Threads that take part, at most.
  public var threads: Int { call.tasks.threads }

  /// Scratch memory of each thread, in bytes: at most 2 MiB however many queries and keys there are, unless a single row
  /// and 4 keys are wider. OpenBLAS's own packing buffers come on top of it where it is used.
  public var workspaceBytesPerThread: Int { call.scratch.workspaceBytes }

  /// Memory for the results of parts of keys until they are merged, in bytes: `4 · (Dv + 2)` for each row and part of 1024 keys.
  public var partialBytes: Int { call.scratch.partialBytes }

  /// All scratch memory of a run, in bytes.
  public var scratchBytes: Int { call.scratch.byteCount }

  /// The extent that the plan speaks of: of the most work, or one as long as all where none has any.
  private var extent: SequenceExtent {
    first?.extent
      ?? SequenceExtent(queryCount: call.problem.sizes.queryCount, keyCount: call.problem.sizes.keyCount)
  }

  var tiles: BlockTiles { first?.tiles ?? BlockTiles(call.problem, extent, call.variant) }

  var reason: KernelRule.Reason { KernelRule(call.problem, extent, call.variant).reason }
}
