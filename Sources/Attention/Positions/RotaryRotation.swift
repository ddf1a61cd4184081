import CAttentionKernels
import Parallelism

/// One call's work, checked: rows of one place, turned, to another place or the same.
///
/// Memory sets the pace, so rows are taken in the order of memory. Where the heads of a token lie side by side (`[B, T, H, D]`
/// seen as `[B, H, T, D]`), all of them are turned by the one table row that they share. Where the tokens of a head do, its rows
/// come a page at a time, in turn with those of one other head, so that two heads share what is read of the tables: a table is half
/// as large as a head, and read again for each. All heads in turn, token after token, were three times slower where it was
/// measured (Zen 5): heads lie a power of two apart in common models, and their rows then compete for the same few places of the
/// first-level cache. Four heads were no faster than two.
struct RotaryRotation {
  private let rotary: RotaryEmbedding
  private let table: RotaryTableOperand
  private let rows: RotaryRows
  private let source: RotaryOperand
  private let target: RotaryOperand

  /// - Precondition: the shapes are equal and fit the embedding, the rows lie within the table.
  init(
    _ rotary: RotaryEmbedding, _ table: RotaryTableOperand, _ rows: RotaryRows, from source: RotaryOperand,
    to target: RotaryOperand
  ) {
    self.rotary = rotary
    self.table = table
    self.rows = rows
    self.source = source
    self.target = target
  }

  /// What a task takes: some 10 µs of work, beside which a claim is nothing and the wait for the last task is short.
  private static let taskBytes = 512 << 10
  /// What one more thread must have to do: it takes about as long as waking that thread.
  private static let threadBytes = 256 << 10
  /// How much of one head comes before the other's turn. The kernel asks for the rows of the next turn meanwhile: they are wanted
  /// some 200 ns later, which is about what memory takes, and two turns of two heads fit the first-level cache.
  private static let turnBytes = 4 << 10
  /// Heads that take turns.
  private static let headsInTurn = 2

  /// Whether the heads of a token are nearer to each other than its neighbours are.
  private var isTokenMajor: Bool {
    let (shape, strides) = (source.shape, source.strides)
    return shape[1] > 1 && (shape[2] == 1 || strides[1].magnitude < strides[2].magnitude)
  }

  /// Turns all rows. Each is worked on alone, so how they are spread over tasks changes no bit.
  func run(on pool: WorkerPool, _ kernels: KernelTable) {
    let shape = source.shape
    if shape.contains(0) { return }
    let rowBytes = max(1, shape[3] &* source.type.byteCount)
    let isTokenMajor = isTokenMajor
    let headsPerTask = min(shape[1], isTokenMajor ? max(1, Self.taskBytes / rowBytes) : Self.headsInTurn)
    let tokensPerTask = min(shape[2], max(1, Self.taskBytes / rowBytes / headsPerTask))
    let headGroups = (shape[1] - 1) / headsPerTask + 1
    let tokenBlocks = (shape[2] - 1) / tokensPerTask + 1
    let call = call(rowsPerTurn: isTokenMajor ? 1 : max(1, Self.turnBytes / rowBytes))
    let rotate = kernels.rotate(source.type)
    let bytes = shape[0] &* shape[1] &* shape[2] &* rowBytes
    let tasks = shape[0] * headGroups * tokenBlocks
    pool.run(tasks, maximumThreads: max(1, bytes / Self.threadBytes)) { task in
      let (group, block) = task.quotientAndRemainder(dividingBy: tokenBlocks)
      let (sequence, headGroup) = group.quotientAndRemainder(dividingBy: headGroups)
      let heads = headGroup * headsPerTask..<min(shape[1], (headGroup + 1) * headsPerTask)
      var token = block * tokensPerTask
      let end = min(shape[2], token + tokensPerTask)
      while token < end {
        let run = rows.run(sequence: sequence, token: token, limit: end - token)
        var call = call
        place(&call, sequence, heads, token, run)
        rotate(&call)
        token += run.count
      }
    }
    withExtendedLifetime(table) {}
  }

  // MARK: Calls

  /// What all calls share.
  private func call(rowsPerTurn: Int) -> CAttentionKernels_rotation {
    var call = CAttentionKernels_rotation()
    call.rows_per_turn = rowsPerTurn
    call.columns = source.shape[3]
    call.pairs = rotary.rotaryDimension / 2
    call.source_head_stride = source.byteStride(1)
    call.source_row_stride = source.byteStride(2)
    call.source_column_stride = source.strides[3]
    call.target_head_stride = target.byteStride(1)
    call.target_row_stride = target.byteStride(2)
    call.target_column_stride = target.strides[3]
    call.interleaved = rotary.layout == .interleaved ? 1 : 0
    return call
  }

  /// Points a call at some heads of the tokens of a run.
  private func place(
    _ call: inout CAttentionKernels_rotation, _ sequence: Int, _ heads: Range<Int>, _ token: Int,
    _ run: (row: Int, step: Int, count: Int)
  ) {
    call.heads = heads.count
    call.rows = run.count
    call.source = UnsafeRawPointer(source.row(sequence, heads.lowerBound, token))
    call.target = target.row(sequence, heads.lowerBound, token)
    call.cosines = table.cosines + run.row &* table.cosineStride &* table.scalarByteCount
    call.sines = table.sines + run.row &* table.sineStride &* table.scalarByteCount
    call.cosine_row_stride = run.step &* table.cosineStride
    call.sine_row_stride = run.step &* table.sineStride
  }
}
