import Attention
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Calls that caches refuse, and that leave everything as it was.
@Suite struct CacheErrorTests {
  private let pool: KeyValuePool
  private let rows = CacheWriteTests.random([3, 2, 8], seed: 1)
  private let narrow = CacheWriteTests.random([3, 2, 4], seed: 2)

  init() throws {
    pool = try KeyValuePool(
      layers: 2, heads: 2, depth: 8, width: 4, keys: .float32, values: .bfloat16, pageSize: 4, pages: 6)
  }

  /// A sequence of three tokens.
  private func sequence() throws -> KeyValueSequence {
    let sequence = pool.makeSequence()
    let step = try KeyValueStep([sequence], appending: [[1, 2, 3]])
    for layer in 0..<2 { try step.write(layer: layer, keys: rows, values: narrow) }
    try step.commit()
    return sequence
  }

  @Test func sizesOfPools() {
    func make(
      layers: Int = 1, heads: Int = 1, depth: Int = 8, width: Int? = nil, keys: KeyValueType = .float32,
      pageSize: Int = 4, pages: Int = 4
    ) throws {
      _ = try KeyValuePool(
        layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: .int4,
        pageSize: pageSize, pages: pages)
    }
    expectRefusal(of: "layers", "0 given") { try make(layers: 0) }
    expectRefusal(of: "heads", "-1 given") { try make(heads: -1) }
    expectRefusal(of: "depth", "0 given") { try make(depth: 0) }
    expectRefusal(of: "width", "0 given") { try make(width: 0) }
    expectRefusal(of: "width", "given") { try make(width: .max) }
    expectRefusal(of: "keys", "int4 given") { try make(keys: .int4) }
    expectRefusal(of: "pageSize", "0 given") { try make(pageSize: 0) }
    expectRefusal(of: "pages", "0 given") { try make(pages: 0) }
    expectRefusal(of: "pages", "given") { try make(pages: .max) }
    expectRefusal(of: "pages", "2⁴⁷") {
      try make(layers: 1 << 20, heads: 1 << 20, pageSize: 1 << 30, pages: 1 << 30)
    }
    expectRefusal(of: "pages", "2⁴⁷") {
      try make(layers: 1 << 10, depth: 1 << 20, pageSize: 1 << 10, pages: 1 << 10)
    }
  }

  @Test func memoryOfTheCaller() throws {
    let bytes = try KeyValuePool.byteCount(
      layers: 2, heads: 1, depth: 8, keys: .float32, values: .float32, pageSize: 4, pages: 4)
    #expect(bytes == 2 * 2 * 4 * 4 * 8 * 4)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes + 64, alignment: 64)
    let released = CacheFailures()
    func make(_ part: UnsafeMutableRawBufferPointer) throws -> KeyValuePool {
      try KeyValuePool(
        over: part, owner: MemoryOwner { released.add("released") }, layers: 2, heads: 1, depth: 8,
        keys: .float32,
        values: .float32, pageSize: 4, pages: 4)
    }
    expectRefusal(of: "memory", "\(bytes - 1) bytes given") {
      try make(.init(rebasing: memory[..<(bytes - 1)]))
    }
    expectRefusal(of: "memory", "multiple of 64") { try make(.init(rebasing: memory[4...])) }
    let before = released.all.count
    var view: CacheView?
    do {
      let own = try make(memory)
      let sequence = own.makeSequence()
      let step = try KeyValueStep([sequence], appending: [1])
      for layer in 0..<2 {
        let row = CacheWriteTests.random([1, 1, 8], seed: 4)
        try step.write(layer: layer, keys: row, values: row)
      }
      try step.commit()
      view = sequence.view
    }
    #expect(released.all.count == before, "a view keeps the pool, and that its memory")
    #expect(view?.rowCount(0) == 1)
    view = nil
    #expect(released.all.count == before + 1)
    memory.deallocate()
  }

  @Test func stepsThatDoNotFit() throws {
    let sequence = try sequence()
    let free = pool.freePages
    let other = try KeyValuePool(
      layers: 2, heads: 2, depth: 8, width: 4, keys: .float32, values: .bfloat16, pageSize: 4, pages: 6)
    expectRefusal(of: "sequences", "none given") { try KeyValueStep([], appending: [Int]()) }
    expectRefusal(of: "appending", "2 given", "1 sequences") {
      try KeyValueStep([sequence], appending: [1, 1])
    }
    expectRefusal(of: "appending", "-1 tokens") { try KeyValueStep([sequence], appending: [-1]) }
    expectRefusal(of: "appending", "tokens") { try KeyValueStep([sequence], appending: [Int.max]) }
    expectRefusal(of: "sequences", "sequence 1 of another pool") {
      try KeyValueStep([sequence, other.makeSequence()], appending: [1, 1])
    }
    expectRefusal(of: "sequences", "sequence 1 given twice") {
      try KeyValueStep([sequence, sequence], appending: [1, 1])
    }
    expectRefusal(of: "pages", "6 pages needed and 5 of 6 free") {
      try KeyValueStep([pool.makeSequence(), sequence], appending: [17, 2])
    }
    let ring = try pool.makeSequence(window: 4, longestAppend: 2)
    expectRefusal(of: "appending", "3 tokens to sequence 1", "2") {
      try KeyValueStep([sequence, ring], appending: [1, 3])
    }
    expectRefusal(of: "window", "-1 given") { try pool.makeSequence(window: -1) }
    expectRefusal(of: "keepingFirst", "-1 given") { try pool.makeSequence(window: 1, keepingFirst: -1) }
    expectRefusal(of: "longestAppend", "0 given") { try pool.makeSequence(window: 1, longestAppend: 0) }
    #expect(pool.freePages == free)
    #expect(sequence.count == 3 && sequence.tokens == [1, 2, 3])
    // After all of that a step is as easy as before.
    _ = try KeyValueStep([sequence, ring], appending: [1, 2])
  }

  @Test func callsBesideAnOpenStep() throws {
    let sequence = try sequence()
    let step = try KeyValueStep([sequence], appending: [1])
    expectRefusal(of: "sequences", "sequence 0 with an open step") {
      try KeyValueStep([sequence], appending: [1])
    }
    expectRefusal(of: "sequence", "fork()") { try sequence.fork() }
    expectRefusal(of: "sequence", "truncate") { try sequence.truncate(to: 1) }
    expectRefusal(of: "sequence", "truncate") { try sequence.reset() }
    expectRefusal(of: "sequence", "reorder") { try KeyValueSequence.reorder([sequence], by: [0]) }
    #expect(sequence.count == 3)
    step.cancel()
    step.cancel()
    try sequence.truncate(to: 1)
    expectRefusal(of: "count", "2 given", "1") { try sequence.truncate(to: 2) }
    expectRefusal(of: "count", "-1 given") { try sequence.truncate(to: -1) }
  }

  @Test func endedSteps() throws {
    let sequence = try sequence()
    let step = try KeyValueStep([sequence], appending: [3])
    expectRefusal(of: "step", "layer 0") { try step.commit() }
    try step.write(layer: 0, keys: rows, values: narrow)
    expectRefusal(of: "step", "layer 1") { try step.commit() }
    try step.write(layer: 1, keys: rows, values: narrow)
    try step.commit()
    expectRefusal(of: "step", "committed") { try step.commit() }
    expectRefusal(of: "step", "committed") { try step.view }
    expectRefusal(of: "step", "committed") { try step.write(layer: 0, keys: rows, values: narrow) }
    step.cancel()
    #expect(sequence.count == 6 && sequence.tokens == nil)
    let dropped = try KeyValueStep([sequence], appending: [3])
    dropped.cancel()
    expectRefusal(of: "step", "cancelled") { try dropped.write(layer: 0, keys: rows, values: narrow) }
  }

  @Test func rowsThatDoNotFit() throws {
    let sequence = try sequence()
    let step = try KeyValueStep([sequence], appending: [3])
    expectRefusal(of: "layer", "2 given", "0..<2") { try step.write(layer: 2, keys: rows, values: narrow) }
    expectRefusal(of: "layer", "-1 given") { try step.write(layer: -1, keys: rows, values: narrow) }
    expectRefusal(of: "keys", "[3, 2, 8]") { try step.write(layer: 0, keys: narrow, values: narrow) }
    expectRefusal(of: "values", "[3, 2, 4]") { try step.write(layer: 0, keys: rows, values: rows) }
    expectRefusal(of: "keys", "[2, 2, 8] given") {
      try step.write(layer: 0, keys: rows.sliced(axis: 0, 0..<2), values: narrow)
    }
    expectRefusal(of: "values", "[3, 1, 4] given") {
      try step.write(layer: 0, keys: rows, values: narrow.sliced(axis: 1, 0..<1))
    }
    expectRefusal(of: "keys", "given") {
      try step.write(layer: 0, keys: rows.expanded(axis: 0), values: narrow)
    }
    let short = try RotaryEmbedding(headDimension: 8, positions: 5)
    expectRefusal(of: "rotary", "5 positions given", "6") {
      try step.write(layer: 0, keys: rows, values: narrow, rotary: short)
    }
    let wide = try RotaryEmbedding(headDimension: 16, positions: 50)
    expectRefusal(of: "rotary", "16 columns") {
      try step.write(layer: 0, keys: rows, values: narrow, rotary: wide)
    }
    let table = CacheWriteTests.random([1, 3, 4], seed: 1)
    let perToken = try RotaryEmbedding(cosines: table, sines: table)
    expectRefusal(of: "rotary", "each token") {
      try step.write(layer: 0, keys: rows, values: narrow, rotary: perToken)
    }
    // None of them has spoilt the step.
    for layer in 0..<2 { try step.write(layer: layer, keys: rows, values: narrow) }
    try step.commit()
    #expect(sequence.count == 6)
  }

  @Test func reordering() throws {
    let (a, b) = (try sequence(), pool.makeSequence())
    let other = try KeyValuePool(
      layers: 1, heads: 1, depth: 1, keys: .float32, values: .float32, pageSize: 1, pages: 1)
    expectRefusal(of: "parents", "1 given", "2") { try KeyValueSequence.reorder([a, b], by: [0]) }
    expectRefusal(of: "parents", "2 given") { try KeyValueSequence.reorder([a, b], by: [0, 2]) }
    expectRefusal(of: "parents", "-1 given") { try KeyValueSequence.reorder([a, b], by: [-1, 0]) }
    expectRefusal(of: "sequences", "twice") { try KeyValueSequence.reorder([a, a], by: [0, 0]) }
    expectRefusal(of: "sequences", "several pools") {
      try KeyValueSequence.reorder([a, other.makeSequence()], by: [0, 0])
    }
    #expect(a.count == 3 && b.count == 0)
  }

  @Test func slabs() throws {
    func make(batch: Int = 1, capacity: Int = 4) throws -> KeyValueSlab {
      try KeyValueSlab(
        layers: 1, heads: 2, depth: 8, width: 4, keys: .float32, values: .float32, batch: batch,
        capacity: capacity,
        growing: false)
    }
    expectRefusal(of: "batch", "0 given") { try make(batch: 0) }
    expectRefusal(of: "capacity", "0 given") { try make(capacity: 0) }
    let slab = try make(batch: 2)
    expectRefusal(of: "appending", "5 rows", "4") { try slab.step(appending: [5, 0]) }
    expectRefusal(of: "appending", "1 given", "2 sequences") { try slab.step(appending: [1]) }
    expectRefusal(of: "appending", "-1 tokens") { try slab.step(appending: [1, -1]) }
    expectRefusal(of: "sequence", "2 given") { try slab.truncate(2, to: 0) }
    let step = try slab.step(appending: [1, 2])
    expectRefusal(of: "sequences", "open step") { try slab.step(appending: [1, 2]) }
    try step.write(layer: 0, keys: rows, values: narrow)
    try step.commit()
    #expect(slab.counts == [1, 2])
  }
}
