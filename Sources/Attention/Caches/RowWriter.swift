import CAttentionKernels
import Parallelism
import Synchronization

/// Brings packed rows of keys, or of values, into their pages: rotates, converts, quantises.
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
  private let rotary: RotaryEmbedding?
  private let table: RotaryTableOperand?
  private let kernels: KernelTable

  /// Does not keep the tensor's memory alive.
  init<Element: AttentionElement>(_ rows: Tensor<Element>, to target: CachedRows, _ rotary: RotaryEmbedding?)
  {
    source = UnsafeRawPointer(rows.unsafeBase)
    sourceType = StorageType(Element.self)
    tokenStride = rows.strides[0] &* sourceType.byteCount
    headStride = rows.strides[1] &* sourceType.byteCount
    columnStride = rows.shape[2] == 1 ? 1 : rows.strides[2]
    heads = rows.shape[1]
    self.target = target
    self.rotary = rotary
    table = rotary.map { RotaryTableOperand($0.tables.single) }
    kernels = CAttentionKernels_active()
  }

  /// What one more thread must have to do: it takes about as long as waking that thread.
  private static let threadBytes = 256 << 10
  /// What a task takes: some 10 µs.
  private static let taskBytes = 128 << 10
  /// Tokens that go through scratch together, of all heads: within the first-level cache.
  private static let scratchFloats = 4 << 10

  /// Writes all rows of a step; a token whose row cannot be quantised, the first one, or nil where all could.
  static func run(
    _ writers: [RowWriter], _ starts: [Int], _ view: CacheView, on workers: WorkerPool
  ) -> Int? {
    let total = starts[starts.count - 1]
    let tokenBytes = writers.reduce(0) { $0 + $1.heads * $1.target.columns * 4 }
    let tokensPerTask = max(1, taskBytes / max(1, tokenBytes))
    let tasks = (total - 1) / tokensPerTask + 1
    let refused = Atomic<Int>(.max)
    starts.withUnsafeBufferPointer { starts in
      workers.run(tasks, maximumThreads: max(1, total * tokenBytes / threadBytes)) { task in
        let tokens = task * tokensPerTask..<min(total, (task + 1) * tokensPerTask)
        forEachRun(tokens, starts, view) { token, position, page, row, count in
          for writer in writers {
            if let bad = writer.write(token, position, page, row, count) {
              refused.min(bad, ordering: .relaxed)
            }
          }
        }
      }
    }
    let first = refused.load(ordering: .relaxed)
    return first == .max ? nil : first
  }

  /// Goes through packed tokens in runs that follow each other in one page.
  @inline(__always)
  private static func forEachRun(
    _ tokens: Range<Int>, _ starts: UnsafeBufferPointer<Int>, _ view: CacheView,
    _ body: (_ token: Int, _ position: Int, _ page: Int, _ row: Int, _ count: Int) -> Void
  ) {
    // The last sequence that starts at or before the first token.
    var (low, high) = (0, starts.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= tokens.lowerBound { low = middle } else { high = middle }
    }
    var token = tokens.lowerBound
    while token < tokens.upperBound {
      let end = min(starts[low + 1], tokens.upperBound)
      let rows = view.sequences + low
      while token < end {
        let position = rows.pointee.positionsBefore + token - starts[low]
        let run = rows.pointee.run(position: position, end: position + end - token)
        body(token, position, run.page, run.rowInPage, run.count)
        token += run.count
      }
      low += 1
    }
  }

  // MARK: One run

  /// The stored type as one that tensors have; nil for integers.
  private var floatType: StorageType? {
    switch target.type {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .int8, .int4: nil
    }
  }

  /// Writes all heads of some tokens; a token that cannot be quantised.
  private func write(_ token: Int, _ position: Int, _ page: Int, _ row: Int, _ count: Int) -> Int? {
    if floatType == sourceType {
      if rotary != nil {
        rotate(
          token, position, count, sourceType, from: source + token &* tokenStride, tokenStride, headStride,
          columnStride,
          to: target.row(page: page, head: 0, row: row), target.rowStride, target.headStride)
        return nil
      }
      if columnStride == 1 {
        copy(token, page, row, count)
        return nil
      }
    }
    let step = max(1, Self.scratchFloats / max(1, heads * target.columns))
    var bad: Int?
    for first in Swift.stride(from: 0, to: count, by: step) {
      let rows = min(step, count - first)
      let refused = convert(token + first, position + first, page, row + first, rows)
      if bad == nil { bad = refused }
    }
    return bad
  }

  private func copy(_ token: Int, _ page: Int, _ row: Int, _ count: Int) {
    let bytes = target.rowStride
    for head in 0..<heads {
      var from = source + (token &* tokenStride &+ head &* headStride)
      var to = target.row(page: page, head: head, row: row)
      if tokenStride == bytes {
        to.copyMemory(from: from, byteCount: count &* bytes)
        continue
      }
      for _ in 0..<count {
        to.copyMemory(from: from, byteCount: bytes)
        from += tokenStride
        to += bytes
      }
    }
  }

  /// Some tokens through scratch in Float, `[head][token][column]`.
  private func convert(_ token: Int, _ position: Int, _ page: Int, _ row: Int, _ count: Int) -> Int? {
    let columns = target.columns
    let size = MemoryLayout<Float>.stride
    return ThreadScratch.withBytes(heads * count * columns * size) { scratch in
      guard let base = scratch.baseAddress else { return nil }
      var floats = UnsafeRawPointer(base)
      // Float rows whose columns are neighbours are read where they are; others go to scratch, and are turned there.
      var (rowStride, headStride) = (tokenStride, self.headStride)
      let isInPlace = sourceType == .float32 && columnStride == 1
      if isInPlace {
        floats = source + token &* tokenStride
      } else {
        let load = RowKernels<Float>(kernels).load(sourceType)
        for head in 0..<heads {
          for index in 0..<count {
            load(
              base + (head * count + index) * columns * size,
              source + ((token + index) &* tokenStride &+ head &* self.headStride), columnStride, columns, 1)
          }
        }
        (rowStride, headStride) = (columns * size, count * columns * size)
      }
      if rotary != nil {
        rotate(
          token, position, count, .float32, from: floats, rowStride, headStride, 1, to: base, columns * size,
          count * columns * size)
        floats = UnsafeRawPointer(base)
        (rowStride, headStride) = (columns * size, count * columns * size)
      }
      return store(floats, rowStride, headStride, token, page, row, count)
    }
  }

  /// Rounds or quantises Float rows into their page.
  private func store(
    _ floats: UnsafeRawPointer, _ rowStride: Int, _ headStride: Int, _ token: Int, _ page: Int, _ row: Int,
    _ count: Int
  ) -> Int? {
    let columns = target.columns
    var bad: Int?
    func forEachRow(
      _ body: (_ from: UnsafePointer<Float>, _ to: UnsafeMutableRawPointer, _ head: Int, _ index: Int) -> Bool
    ) {
      for head in 0..<heads {
        for index in 0..<count {
          let from = (floats + (head &* headStride &+ index &* rowStride)).assumingMemoryBound(to: Float.self)
          let to = target.row(page: page, head: head, row: row + index)
          if !body(from, to, head, index) { bad = min(bad ?? .max, token + index) }
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
      forEachRow { from, to, head, index in
        let scale = quantize(to.assumingMemoryBound(to: Int8.self), from, columns)
        target.scale(page: page, head: head, row: row + index)?.pointee = scale
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
    _ token: Int, _ position: Int, _ count: Int, _ type: StorageType, from: UnsafeRawPointer,
    _ rowStride: Int,
    _ headStride: Int, _ columnStride: Int, to: UnsafeMutableRawPointer, _ targetRowStride: Int,
    _ targetHeadStride: Int
  ) {
    guard let rotary, let table else { return }
    var call = CAttentionKernels_rotation()
    call.source = from
    call.target = to
    call.heads = heads
    call.rows = count
    call.rows_per_turn = 1
    call.columns = target.columns
    call.pairs = rotary.rotaryDimension / 2
    call.source_head_stride = headStride
    call.source_row_stride = rowStride
    call.source_column_stride = columnStride
    call.target_head_stride = targetHeadStride
    call.target_row_stride = targetRowStride
    call.target_column_stride = 1
    call.cosines = table.cosines + position &* table.cosineStride &* table.scalarByteCount
    call.sines = table.sines + position &* table.sineStride &* table.scalarByteCount
    call.cosine_row_stride = table.cosineStride
    call.sine_row_stride = table.sineStride
    call.interleaved = rotary.layout == .interleaved ? 1 : 0
    kernels.rotate(type)(&call)
  }
}
