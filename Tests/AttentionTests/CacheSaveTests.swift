import Attention
import TestSupport
import Testing

/// Caches that were saved and loaded are the same, bit for bit, and go on as if nothing had been.
@Suite struct CacheSaveTests {
  static let (layers, heads, depth, width) = (2, 3, 40, 36)

  static func pool(_ types: CachedTypes, pageSize: Int, pages: Int = 60) throws -> KeyValuePool {
    try KeyValuePool(
      layers: layers, heads: heads, depth: depth, width: width, keys: types.keys, values: types.values,
      pageSize: pageSize, pages: pages)
  }

  /// Appends random rows to sequences that get the same ones.
  static func append(_ tokens: [Int], seed: UInt64, to sequences: KeyValueSequence...) throws {
    for sequence in sequences {
      let step = try KeyValueStep([sequence], appending: [tokens])
      for layer in 0..<layers {
        let rows = Tensor<Float>.normal([tokens.count, heads, depth], seed: seed + UInt64(layer))
        try step.write(
          layer: layer, keys: rows, values: rows.sliced(axis: 2, 0..<width))
      }
      try step.commit()
    }
  }

  /// Expects two sequences to hold, and to attend over, the same bits.
  static func expectSame(_ a: KeyValueSequence, _ b: KeyValueSequence, _ context: String) throws {
    #expect(a.count == b.count && a.tokens == b.tokens, "\(context)")
    #expect(try a.savedBytes() == b.savedBytes(), "\(context)")
    let (x, y) = (a.view, b.view)
    try #require(x.rowCount(0) == y.rowCount(0), "\(context)")
    for row in 0..<x.rowCount(0) {
      #expect(x.position(sequence: 0, row: row) == y.position(sequence: 0, row: row), "\(context)")
    }
    let attend = ScaledDotProductAttention(on: Pools.two)
    let queries = Tensor<Float>.normal([1, heads, depth], seed: 77)
    for layer in 0..<layers {
      #expect(x.floats(layer: layer, sequence: 0) == y.floats(layer: layer, sequence: 0), "\(context)")
      let outputs = try [x, y].map {
        try attend(.packed(queries, lengths: [1]), $0.keyValues(layer: layer)).elements.map(\.bitPattern)
      }
      #expect(outputs[0] == outputs[1], "\(context), layer \(layer)")
    }
  }

  @Test(arguments: CachedTypes.all) func comeBackInPagesOfAnySize(types: CachedTypes) throws {
    let pool = try Self.pool(types, pageSize: 16)
    let sequence = pool.makeSequence()
    try Self.append(Array(0..<37), seed: 1, to: sequence)
    let bytes = try sequence.savedBytes()
    for pageSize in [1, 5, 16, 64] {
      let other = try Self.pool(types, pageSize: pageSize)
      let loaded = try other.load(bytes: bytes)
      #expect(other.freePages == 60 - (37 + pageSize - 1) / pageSize)
      try Self.expectSame(sequence, loaded, "\(types), pages of \(pageSize)")
      let alone = try sequence.fork()
      for round in 0..<3 {
        try Self.append(Array(0...round), seed: 50 + UInt64(round), to: alone, loaded)
        try Self.expectSame(alone, loaded, "\(types), pages of \(pageSize), round \(round)")
      }
    }
  }

  @Test func filesAndForks() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("cache.safetensors")
    let types = CachedTypes(keys: .int8, values: .int4)
    let (pool, other) = (try Self.pool(types, pageSize: 16), try Self.pool(types, pageSize: 7))
    let a = pool.makeSequence()
    try Self.append(Array(0..<20), seed: 1, to: a)
    let b = try a.fork()
    try Self.append([7, 8, 9], seed: 9, to: b)
    try Self.append([5], seed: 11, to: a)
    let step = try KeyValueStep([b], appending: [[1, 2]])
    for sequence in [a, b] {
      try sequence.save(to: path)
      try Self.expectSame(sequence, other.load(from: path), "of \(sequence.count)")
    }
    _ = consume step
    #expect(try directory.contents() == ["cache.safetensors"])
    #expect(other.freePages == 60)
    expectRefusal(of: "path", "open") { try a.save(to: directory.file("none/cache")) }
    expectRefusal(of: "path", "open") { try other.load(from: directory.file("none")) }
    expectRefusal(of: "path") { try other.load(from: directory.path) }
  }

  @Test(arguments: [CachedTypes(keys: .float16, values: .int8), CachedTypes(keys: .int8, values: .int4)])
  func ringsTurnOn(types: CachedTypes) throws {
    for (window, kept) in [(6, 2), (0, 1), (20, 0), (9, 0)] {
      for pageSizes in [(4, 7), (7, 4), (16, 1), (1, 64)] {
        let pools = (
          try Self.pool(types, pageSize: pageSizes.0), try Self.pool(types, pageSize: pageSizes.1)
        )
        let ring = try pools.0.makeSequence(window: window, keepingFirst: kept, longestAppend: 3)
        var seed: UInt64 = 100
        for count in 0..<45 {
          if count > 0 { try Self.append([count], seed: seed, to: ring) }
          if count % 4 > 1 { continue }
          let loaded = try pools.1.load(bytes: ring.savedBytes())
          let context = "window \(window), kept \(kept), pages of \(pageSizes), \(count) tokens"
          try Self.expectSame(ring, loaded, context)
          // On with each for more than a turn, from where a copy of the ring stands.
          let copy = try ring.fork()
          for _ in 0..<(count % 8 == 0 ? 14 : 2) {
            seed += 10
            try Self.append([1, 2, 3], seed: seed, to: copy, loaded)
            try Self.expectSame(copy, loaded, context)
          }
        }
      }
    }
  }

  @Test func aRingIsCutAsFarAsItsRowsReach() throws {
    let types = CachedTypes(keys: .float32, values: .float32)
    let pool = try Self.pool(types, pageSize: 4)
    let ring = try pool.makeSequence(window: 6, keepingFirst: 2, longestAppend: 3)
    for count in 0..<40 { try Self.append([count], seed: 3, to: ring) }
    let loaded = try pool.load(bytes: ring.savedBytes())
    expectRefusal(of: "count", "39 given", "34") { try loaded.truncate(to: 39) }
    try loaded.truncate(to: 2)
    try ring.truncate(to: 0)
    for count in 0..<2 { try Self.append([count], seed: 3, to: ring) }
    try Self.expectSame(ring, loaded, "cut to the kept rows")
  }

  @Test func nothingAtAll() throws {
    let types = CachedTypes(keys: .bfloat16, values: .int8)
    let pool = try Self.pool(types, pageSize: 4)
    let empty = try pool.load(bytes: pool.makeSequence().savedBytes())
    #expect(empty.count == 0 && empty.tokens == [] && pool.freePages == 60)
    let ring = try pool.load(bytes: pool.makeSequence(window: 5).savedBytes())
    #expect(ring.count == 0 && ring.tokens == nil && pool.freePages == 60)
    for token in 0..<20 { try Self.append([token], seed: 5, to: empty, ring) }
    #expect(empty.view.rowCount(0) == 20 && ring.view.rowCount(0) == 5)
  }

  @Test func loadedTokensAreReused() throws {
    let types = CachedTypes(keys: .float32, values: .float32)
    let (pool, other) = (try Self.pool(types, pageSize: 16), try Self.pool(types, pageSize: 4, pages: 8))
    let sequence = pool.makeSequence()
    try Self.append(Array(0..<10), seed: 1, to: sequence)
    let known = try sequence.savedBytes()
    let step = try KeyValueStep([sequence], appending: [3])
    for layer in 0..<2 {
      try step.write(
        layer: layer, keys: Tensor<Float>.zeros([3, 3, 40]), values: Tensor<Float>.zeros([3, 3, 36]))
    }
    try step.commit()
    var loaded: KeyValueSequence? = try other.load(bytes: known)
    #expect(other.match(Array(0..<10)) == 8)
    let reused = other.makeSequence(reusing: Array(0..<10))
    #expect(reused.count == 8 && other.freePages == 5)
    try Self.append([8, 9], seed: 99, to: reused)
    loaded = nil
    #expect(other.match(Array(0..<10)) == 8 && other.freePages == 5)
    // 13 tokens take four pages, ids of which are known for 10.
    loaded = try other.load(bytes: sequence.savedBytes())
    #expect(loaded?.tokens == nil && loaded?.count == 13 && other.freePages == 1)
    try loaded?.truncate(to: 10)
    #expect(loaded?.tokens == Array(0..<10))
    try reused.reset()
    loaded = nil
    #expect(other.freePages == 8 && other.match(Array(0..<10)) == 8)
    // Prefixes that nobody holds make room.
    let held = try (0..<2).map { _ in try other.load(bytes: sequence.savedBytes()) }
    #expect(other.freePages == 0)
    try withExtendedLifetime(held) {
      let bytes = try sequence.savedBytes()
      expectRefusal(of: "pages", "4 pages needed and 0 of 8 free") { try other.load(bytes: bytes) }
    }
    #expect(other.match(Array(0..<10)) == 8)
  }

  @Test func slabsSaveAndLoad() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("cache")
    let types = CachedTypes(keys: .bfloat16, values: .int8)
    let pool = try Self.pool(types, pageSize: 4)
    let sequence = pool.makeSequence()
    try Self.append(Array(0..<10), seed: 1, to: sequence)
    try sequence.save(to: path)
    func makeSlab(growing: Bool) throws -> KeyValueSlab {
      try KeyValueSlab(
        layers: Self.layers, heads: Self.heads, depth: Self.depth, width: Self.width, keys: types.keys,
        values: types.values, batch: 2, capacity: 6, growing: growing)
    }
    let slab = try makeSlab(growing: true)
    try slab.load(1, from: path)
    #expect(slab.counts == [0, 10] && slab.capacity == 12)
    let view = slab.view
    try slab.load(0, from: path)
    try slab.load(1, from: path)
    #expect(slab.counts == [10, 10] && view.rowCount(0) == 0 && view.rowCount(1) == 10)
    for layer in 0..<2 {
      let expected = sequence.view.floats(layer: layer, sequence: 0)
      #expect(slab.view.floats(layer: layer, sequence: 0) == expected)
      #expect(slab.view.floats(layer: layer, sequence: 1) == expected)
      #expect(view.floats(layer: layer, sequence: 1) == expected)
    }
    try slab.save(1, to: path)
    let loaded = try pool.load(from: path)
    #expect(try loaded.savedBytes() == sequence.savedBytes())
    let fixed = try makeSlab(growing: false)
    expectRefusal(of: "path", "10 rows given", "6") { try fixed.load(from: path) }
    expectRefusal(of: "sequence", "2 given") { try fixed.load(2, from: path) }
    expectRefusal(of: "sequence", "-1 given") { try fixed.save(-1, to: path) }
    try pool.makeSequence(window: 5).save(to: path)
    expectRefusal(of: "path", "a ring given") { try slab.load(from: path) }
    #expect(slab.counts == [10, 10] && fixed.counts == [0, 0])
  }
}
