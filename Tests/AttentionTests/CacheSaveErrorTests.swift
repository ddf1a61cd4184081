import Attention
import TestSupport
import Testing

/// Files that are refused, and leave the pool as it was.
@Suite struct CacheSaveErrorTests {
  private static let types = CachedTypes(keys: .int8, values: .int4)

  private static func pool(_ types: CachedTypes = types, pages: Int = 6) throws -> KeyValuePool {
    try KeyValuePool(
      layers: 2, heads: 1, depth: 5, width: 3, keys: types.keys, values: types.values, pageSize: 4,
      pages: pages)
  }

  private static func append(_ tokens: [Int], to sequence: KeyValueSequence) throws {
    let step = try KeyValueStep([sequence], appending: [tokens])
    for layer in 0..<2 {
      try step.write(
        layer: layer, keys: Tensor<Float>.normal([tokens.count, 1, 5], seed: UInt64(layer)),
        values: Tensor<Float>.normal([tokens.count, 1, 3], seed: UInt64(9 + layer)))
    }
    try step.commit()
  }

  private static func file(_ types: CachedTypes = types, ring: Bool = false) throws -> [UInt8] {
    let pool = try pool(types)
    let sequence = try ring ? pool.makeSequence(window: 3, keepingFirst: 1) : pool.makeSequence()
    for token in 0..<6 { try append([token + 300], to: sequence) }
    return try sequence.savedBytes()
  }

  private func refuses(_ pool: KeyValuePool, _ bytes: [UInt8]) -> Bool {
    let error = refusal { () throws(AttentionError) in try pool.load(bytes: bytes) }
    return error?.argument == "bytes" && pool.freePages == pool.pages
  }

  @Test(arguments: [false, true], [types, CachedTypes(keys: .bfloat16, values: .float32)])
  func everyByteCounts(ring: Bool, types: CachedTypes) throws {
    let bytes = try Self.file(types, ring: ring)
    let pool = try Self.pool(types)
    var harmless = 0
    for index in bytes.indices {
      for mask: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
        var altered = bytes
        altered[index] ^= mask
        if refuses(pool, altered) { continue }
        harmless += 1
        let loaded = try pool.load(bytes: altered)
        #expect(try loaded.savedBytes() == bytes, "byte \(index), mask \(mask)")
      }
    }
    // White space at the header's end, which may be other white space.
    #expect(harmless < 40)
    for count in bytes.indices { #expect(refuses(pool, Array(bytes[..<count])), "cut to \(count)") }
    #expect(refuses(pool, bytes + [0]))
  }

  @Test func poolsOfOtherSizes() throws {
    let bytes = try Self.file()
    func expect(
      _ part: String, _ expected: String, layers: Int = 2, heads: Int = 1, depth: Int = 5, width: Int = 3,
      keys: KeyValueType = .int8, values: KeyValueType = .int4
    ) throws {
      let pool = try KeyValuePool(
        layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values, pageSize: 4,
        pages: 4)
      expectRefusal(of: "bytes", part, expected) { try pool.load(bytes: bytes) }
      #expect(pool.freePages == 4)
    }
    try expect("layers \"2\" given", "the pool's 3", layers: 3)
    try expect("heads \"1\" given", "the pool's 2", heads: 2)
    try expect("depth \"5\" given", "the pool's 6", depth: 6)
    try expect("width \"3\" given", "the pool's 4", width: 4)
    try expect("keys \"int8\" given", "the pool's float32", keys: .float32)
    try expect("values \"int4\" given", "the pool's int8", values: .int8)
    let small = try Self.pool(pages: 1)
    expectRefusal(of: "pages", "2 pages needed and 1 of 1 free") { try small.load(bytes: bytes) }
    #expect(small.freePages == 1)
  }

  /// Changes that somebody made on purpose, with a checksum that fits.
  @Test func whatIsMadeOnPurpose() throws {
    func check(
      ring: Bool = false, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
      change: (inout SavedFile) -> Void
    ) throws {
      var file = try SavedFile(Self.file(ring: ring))
      change(&file)
      let bytes = try file.bytes()
      let pool = try Self.pool()
      let error = refusal { () throws(AttentionError) in try pool.load(bytes: bytes) }
      #expect(error?.argument == "bytes", sourceLocation: sourceLocation)
      for part in parts {
        #expect(
          error?.reason.contains(part) == true, "\(error?.reason ?? "")", sourceLocation: sourceLocation)
      }
      #expect(pool.freePages == 6, sourceLocation: sourceLocation)
    }
    // The test's own checksum is the file's.
    #expect(try SavedFile(Self.file()).checksum == SavedFile(Self.file()).metadata["checksum"])
    try check("format \"pt\"") { $0.metadata["format"] = "pt" }
    try check("no format") { $0.metadata["format"] = nil }
    try check("version \"2\" given, expected 1") { $0.metadata["version"] = "2" }
    try check("no count") { $0.metadata["count"] = nil }
    for count in ["-1", "+6", "06", "6.0", "", "99999999999999999999", "4294967296"] {
      try check("count \"\(count)\"", "expected a number") { $0.metadata["count"] = count }
    }
    try check("tensor keys") { $0.metadata["count"] = "7" }
    try check("tensor keys") { $0.metadata["count"] = "2147483647" }
    try check("tokens") { $0.tensors["tokens"]?.shape = [2, 3] }
    try check("extra") { $0.metadata["extra"] = "1" }
    try check("tensor \"more\"") { $0.tensors["more"] = $0.tensors["keys"] }
    for name in ["keys", "values", "keys.scales", "tokens"] { try check(name) { $0.tensors[name] = nil } }
    try check("tensor keys", "uint8") { $0.tensors["keys"]?.type = .uint8 }
    try check("tensor keys") { $0.tensors["keys"]?.shape = [2, 6, 1, 5] }
    // Rings.
    try check(ring: true, "no keepingFirst") { $0.metadata["keepingFirst"] = nil }
    try check(ring: true, "longestAppend") { $0.metadata["longestAppend"] = "0" }
    try check(ring: true, "window") { $0.metadata["window"] = "2000000000" }
    try check(ring: true, "tensor keys") { $0.metadata["window"] = "2" }
    try check(ring: true, "tensor keys") { $0.metadata["keepingFirst"] = "2" }
    try check(ring: true, "count") { $0.metadata["count"] = "\(Int.max)" }
    try check(ring: true, "keepingFirst") { $0.metadata["window"] = nil }
    try check("no keepingFirst") { $0.metadata["window"] = "3" }
    try check(ring: true, "tokens") {
      $0.tensors["tokens"] = SavedFile.Part(type: .int64, shape: [1], bytes: [1, 0, 0, 0, 0, 0, 0, 0])
    }
    // Numbers that no step writes.
    for scale in [Float.nan, .infinity, -1] {
      let bits = withUnsafeBytes(of: scale) { Array($0) }
      try check("keys.scales", "scale") {
        $0.tensors["keys.scales"]?.bytes.replaceSubrange(8..<12, with: bits)
      }
      try check("values", "scale") { $0.tensors["values"]?.bytes.replaceSubrange(20..<24, with: bits) }
    }
    try check("keys", "-128") { $0.tensors["keys"]?.bytes[7] = 0x80 }
    try check("values", "-8") { $0.tensors["values"]?.bytes[25] = 0x81 }
    try check("values", "-8") { $0.tensors["values"]?.bytes[25] = 0x18 }
  }

  /// Lengths that are too small would make bounds that do not hold.
  @Test func planesThatNoStepWrites() throws {
    let types = CachedTypes(keys: .planes, values: .float32)
    let bytes = try Self.file(types)
    func check(_ words: String..., change: (inout SavedFile) -> Void) throws {
      var file = try SavedFile(bytes)
      change(&file)
      let (pool, altered) = (try Self.pool(types), try file.bytes())
      let error = refusal { () throws(AttentionError) in try pool.load(bytes: altered) }
      #expect(words.allSatisfy { "\(error as Any)".contains($0) }, "\(error as Any), expected \(words)")
      #expect(pool.freePages == pool.pages)
    }
    #expect(try Self.pool(types).load(bytes: SavedFile(bytes).bytes()).savedBytes() == bytes)
    for name in ["keys.low", "keys.lengths", "keys.scales"] {
      try check(name) { $0.tensors[name] = nil }
    }
    // The last row's two lengths: of the row, and of its low bytes.
    for offset in [44, 46] {
      // What is too short, subnormal, infinite, NaN or negative; a row itself may be too long for bfloat16.
      for length: UInt16 in [0, 0x0001, 0x7FC0, 0xFF80, 0xC000] + (offset == 46 ? [0x7F80] : []) {
        try check("keys.lengths", "length") {
          $0.tensors["keys.lengths"]?.bytes.replaceSubrange(
            offset..<offset + 2, with: [UInt8(length & 0xFF), UInt8(length >> 8)])
        }
      }
    }
    try check("keys.lengths", "length") {
      $0.tensors["keys.low"]?.bytes.replaceSubrange(55..<60, with: [128, 127, 127, 127, 128])
    }
    try check("keys", "-128") { $0.tensors["keys"]?.bytes[7] = 0x80 }
    try check("keys.scales", "scale") {
      $0.tensors["keys.scales"]?.bytes.replaceSubrange(8..<12, with: [0, 0, 0x80, 0xBF])
    }
  }

  @Test func aRingAtALaterPositionIsFine() throws {
    var file = try SavedFile(Self.file(ring: true))
    file.metadata["count"] = "\(1 << 52)"
    let pool = try Self.pool()
    let ring = try pool.load(bytes: file.bytes())
    #expect(ring.count == 1 << 52 && ring.view.rowCount(0) == 4)
    expectRefusal(of: "appending") { try KeyValueStep([ring], appending: [1]) }
  }
}
