import CAttentionKernels
import Parallelism
import Synchronization

/// Brings packed rows of keys, or of values, into their pages: rotates, converts, quantises.
///
/// Addresses and numbers only, so that a copy counts no reference: whoever makes one keeps the tensor, the embedding and the view.
struct RowWriter {
  private let source: UnsafeRawPointer
  private let sourceType: StorageType
  /// In bytes.
  private let tokenStride: Int
  private let headStride: Int
  /// In elements.
  private let columnStride: Int
  private let heads: Int
  private let target: CachedRows
  /// The stored type as one that tensors have; nil for integers.
  private let floatType: StorageType?
  /// Whether rows are turned. By itself: asking an optional would copy all of the rotation for each token.
  private let rotates: Bool
  /// What all rotations share.
  private let rotation: CAttentionKernels_rotation
  private let kernels: KernelTable

  init<Element: AttentionElement>(
    _ rows: Tensor<Element>, to target: CachedRows, _ rotary: RotaryEmbedding?
  ) {
    source = UnsafeRawPointer(rows.unsafeBase)
    sourceType = StorageType(Element.self)
    tokenStride = rows.strides[0] &* sourceType.byteCount
    headStride = rows.strides[1] &* sourceType.byteCount
    columnStride = rows.shape[2] == 1 ? 1 : rows.strides[2]
    heads = rows.shape[1]
    self.target = target
    floatType =
      switch target.type {
      case .float32: .float32
      case .bfloat16: .bfloat16
      case .float16: .float16
      case .int8, .int4, .planes: nil
      }
    kernels = CAttentionKernels_active()
    rotates = rotary != nil
    var call = CAttentionKernels_rotation()
    guard let rotary else {
      rotation = call
      return
    }
    let table = rotary.tables.single
    call.heads = heads
    call.rows_per_turn = 1
    call.columns = target.columns
    call.pairs = rotary.rotaryDimension / 2
    call.target_column_stride = 1
    call.cosines = UnsafeRawPointer(table.cosines.unsafeBase)
    call.sines = UnsafeRawPointer(table.sines.unsafeBase)
    call.cosine_row_stride = table.cosines.strides[0]
    call.sine_row_stride = table.sines.strides[0]
    call.interleaved = rotary.layout == .interleaved ? 1 : 0
    rotation = call
  }

  /// What one more thread must have to do: it takes about as long as waking that thread.
  private static let threadBytes = 32 << 10
  /// What a task takes: some 10 µs.
  private static let taskBytes = 16 << 10
  /// Tokens that go through scratch together, of all heads: within the first-level cache.
  private static let scratchFloats = 4 << 10

  /// Tokens that go through scratch together.
  private var scratchTokens: Int { max(1, Self.scratchFloats / max(1, heads * target.columns)) }
  private var scratchBytes: Int { scratchTokens * heads * target.columns * MemoryLayout<Float>.stride }

  /// A row that cannot be quantised.
  struct Refusal {
    let isOfKeys: Bool
    let token: Int
  }

  /// Writes all rows of a step; what cannot be quantised, the first key or else the first value, or nil where all could.
  static func run(
    _ keys: RowWriter, _ values: RowWriter, _ starts: [Int], _ view: CacheView, on workers: WorkerPool
  ) -> Refusal? {
    let total = starts[starts.count - 1]
    let tokenBytes = keys.heads * (keys.target.columns + values.target.columns) * MemoryLayout<Float>.stride
    let tokensPerTask = max(1, taskBytes / tokenBytes)
    let tasks = (total - 1) / tokensPerTask + 1
    let (refusedKeys, refusedValues) = (FirstToken(), FirstToken())
    starts.withUnsafeBufferPointer { starts in
      workers.run(tasks, maximumThreads: max(1, total * tokenBytes / threadBytes)) { task in
        let tokens = task * tokensPerTask..<min(total, (task + 1) * tokensPerTask)
        ThreadScratch.withBytes(max(keys.scratchBytes, values.scratchBytes)) { scratch in
          guard let base = scratch.baseAddress else { return }
          forEachRun(tokens, starts, view) { run in
            if let token = keys.write(run, base) { refusedKeys.add(token) }
            if let token = values.write(run, base) { refusedValues.add(token) }
          }
        }
      }
    }
    if let token = refusedKeys.token { return Refusal(isOfKeys: true, token: token) }
    return refusedValues.token.map { Refusal(isOfKeys: false, token: $0) }
  }

  /// Packed tokens of one sequence that follow each other in one page.
  private struct Run {
    var token: Int
    var position: Int
    let page: Int
    var row: Int
    var count: Int

    func part(from first: Int, count: Int) -> Run {
      Run(token: token + first, position: position + first, page: page, row: row + first, count: count)
    }
  }

  /// Goes through packed tokens run by run.
  @inline(__always)
  private static func forEachRun(
    _ tokens: Range<Int>, _ starts: UnsafeBufferPointer<Int>, _ view: CacheView, _ body: (Run) -> Void
  ) {
    // The last sequence that starts at or before the first token.
    var (sequence, above) = (0, starts.count - 1)
    while above - sequence > 1 {
      let middle = (sequence + above) / 2
      if starts[middle] <= tokens.lowerBound { sequence = middle } else { above = middle }
    }
    var token = tokens.lowerBound
    let sequences = view.sequences
    while token < tokens.upperBound {
      let end = min(starts[sequence + 1], tokens.upperBound)
      while token < end {
        let position = sequences[sequence].positionsBefore + token - starts[sequence]
        let run = sequences[sequence].run(position: position, end: position + end - token)
        body(Run(token: token, position: position, page: run.page, row: run.rowInPage, count: run.count))
        token += run.count
      }
      sequence += 1
    }
  }

  // MARK: One run

  /// Writes all heads of a run; a token that cannot be quantised.
  private func write(_ run: Run, _ scratch: UnsafeMutableRawPointer) -> Int? {
    if floatType == sourceType {
      if rotates {
        rotate(
          run, sourceType,
          from: StridedRows(base: source + run.token &* tokenStride, row: tokenStride, head: headStride),
          columnStride,
          to: StridedRows(
            base: target.row(page: run.page, head: 0, row: run.row), row: target.rowStride,
            head: target.headStride))
        return nil
      }
      if columnStride == 1 {
        copy(run)
        return nil
      }
    }
    var bad: Int?
    let step = scratchTokens
    var first = 0
    while first < run.count {
      let part = run.part(from: first, count: min(step, run.count - first))
      let refused = convert(part, scratch)
      if bad == nil { bad = refused }
      first += part.count
    }
    return bad
  }

  /// Rows somewhere, their strides in bytes.
  private struct StridedRows {
    let base: UnsafeRawPointer
    let row: Int
    let head: Int
  }

  private func copy(_ run: Run) {
    let bytes = target.rowStride
    for head in 0..<heads {
      var from = source + (run.token &* tokenStride &+ head &* headStride)
      var to = target.row(page: run.page, head: head, row: run.row)
      if tokenStride == bytes {
        to.copyMemory(from: from, byteCount: run.count &* bytes)
        continue
      }
      for _ in 0..<run.count {
        to.copyMemory(from: from, byteCount: bytes)
        from += tokenStride
        to += bytes
      }
    }
  }

  /// Some tokens through scratch in Float, `[head][token][column]`.
  private func convert(_ run: Run, _ base: UnsafeMutableRawPointer) -> Int? {
    let bytes = target.columns * MemoryLayout<Float>.stride
    let packed = StridedRows(base: base, row: bytes, head: run.count * bytes)
    // Float rows whose columns are neighbours are read where they are; others go to scratch, and are turned there.
    var floats = packed
    if sourceType == .float32 && columnStride == 1 {
      floats = StridedRows(base: source + run.token &* tokenStride, row: tokenStride, head: headStride)
    } else {
      let load = RowKernels<Float>(kernels).load(sourceType)
      for head in 0..<heads {
        for index in 0..<run.count {
          load(
            base + (head * run.count + index) * bytes,
            source + ((run.token + index) &* tokenStride &+ head &* headStride), columnStride,
            target.columns, 1)
        }
      }
    }
    if rotates {
      rotate(run, .float32, from: floats, 1, to: packed)
      floats = packed
    }
    return store(floats, run)
  }

  /// Rounds or quantises Float rows into their page.
  private func store(_ floats: StridedRows, _ run: Run) -> Int? {
    let columns = target.columns
    var bad: Int?
    @inline(__always)
    func forEachRow(_ body: (UnsafePointer<Float>, UnsafeMutableRawPointer, _ head: Int, _ row: Int) -> Bool)
    {
      for head in 0..<heads {
        var from = floats.base + head &* floats.head
        var to = target.row(page: run.page, head: head, row: run.row)
        for index in 0..<run.count {
          if !body(from.assumingMemoryBound(to: Float.self), to, head, run.row + index) {
            bad = min(bad ?? .max, run.token + index)
          }
          from += floats.row
          to += target.rowStride
        }
      }
    }
    func storeFloats(_ type: StorageType) {
      let store = RowKernels<Float>(kernels).store(type)
      forEachRow { from, to, _, _ in
        _ = store(to, 1, from, columns, 1)
        return true
      }
    }
    switch target.type {
    case .float32: storeFloats(.float32)
    case .bfloat16: storeFloats(.bfloat16)
    case .float16: storeFloats(.float16)
    case .int8:
      guard let quantize = kernels.pointee.quantize_i8 else {
        preconditionFailure("this set of kernels cannot quantise to int8")
      }
      forEachRow { from, to, head, row in
        let scale = quantize(to.assumingMemoryBound(to: Int8.self), from, columns)
        target.scale(page: run.page, head: head, row: row)?.pointee = scale
        return !scale.isNaN
      }
    case .planes:
      guard let quantize = kernels.pointee.quantize_planes else {
        preconditionFailure("this set of kernels cannot quantise to planes")
      }
      let low = target.lowDistance
      forEachRow { from, to, head, row in
        let scale = quantize(
          to.assumingMemoryBound(to: Int8.self), (to + low).assumingMemoryBound(to: Int8.self),
          target.lengths(page: run.page, head: head, row: row), from, columns)
        target.scale(page: run.page, head: head, row: row)?.pointee = scale
        return !scale.isNaN
      }
    case .int4:
      guard let quantize = kernels.pointee.quantize_i4 else {
        preconditionFailure("this set of kernels cannot quantise to int4")
      }
      forEachRow { from, to, _, _ in quantize(to, from, columns) != 0 }
    }
    return bad
  }

  /// Turns rows of all heads by their positions, in one call.
  private func rotate(
    _ run: Run, _ type: StorageType, from: StridedRows, _ columnStride: Int, to: StridedRows
  ) {
    var call = rotation
    call.source = from.base
    call.target = UnsafeMutableRawPointer(mutating: to.base)
    call.rows = run.count
    call.source_head_stride = from.head
    call.source_row_stride = from.row
    call.source_column_stride = columnStride
    call.target_head_stride = to.head
    call.target_row_stride = to.row
    let size = MemoryLayout<Float>.stride
    call.cosines += run.position &* call.cosine_row_stride &* size
    call.sines += run.position &* call.sine_row_stride &* size
    kernels.rotate(type)(&call)
  }
}

/// The first of the tokens that threads add.
private final class FirstToken: Sendable {
  private let first = Atomic<Int>(.max)

  func add(_ token: Int) { first.min(token, ordering: .relaxed) }

  var token: Int? {
    let first = first.load(ordering: .relaxed)
    return first == .max ? nil : first
  }
}
