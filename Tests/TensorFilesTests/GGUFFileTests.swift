import TensorFiles
import Tensors
import TestSupport
import Testing

/// What opening and reading give, for files that are as they should be.
@Suite struct GGUFFileTests {
  /// One value of each type, one array of each, and two tensors.
  private static func full(version: UInt32 = 3) -> GGUFBytes {
    let scalars: [(String, UInt32, [UInt8])] = [
      ("u8", 0, [200]), ("i8", 1, [200]), ("u16", 2, GGUFBytes.number(UInt16(65_535))),
      ("i16", 3, GGUFBytes.number(Int16(-2))), ("u32", 4, GGUFBytes.number(UInt32.max)),
      ("i32", 5, GGUFBytes.number(Int32(-3))), ("f32", 6, GGUFBytes.number(Float(0.1))), ("yes", 7, [1]),
      ("no", 7, [0]), ("text", 8, GGUFBytes.text("caf\u{E9}")), ("u64", 10, GGUFBytes.number(UInt64.max)),
      ("i64", 11, GGUFBytes.number(Int64.min)), ("f64", 12, GGUFBytes.number(0.1)),
    ]
    let arrays = scalars.map { name, type, value in
      ("\(name)s", UInt32(9), GGUFBytes.array(type, 2, value + value))
    }
    let others: [(String, UInt32, [UInt8])] = [
      ("empty", 9, GGUFBytes.array(8, 0, [])),
      (
        "nested", 9,
        GGUFBytes.array(
          9, 2, GGUFBytes.array(4, 1, [7, 0, 0, 0]) + GGUFBytes.array(8, 1, GGUFBytes.text("x")))
      ),
      (
        "texts", 9,
        GGUFBytes.array(8, 3, GGUFBytes.text("a") + GGUFBytes.text("") + GGUFBytes.text("\u{1F600}"))
      ),
    ]
    var file = GGUFBytes(version: version)
    file.keys = (scalars + arrays.filter { $0.0 != "texts" } + others).map { GGUFBytes.key($0, $1, $2) }
    file.tensors = [
      GGUFBytes.tensor("b", [3, 2], type: 0, offset: 32), GGUFBytes.tensor("a", [5], type: 1, offset: 0),
    ]
    file.data = [0, 0x3C, 0, 0xC0, 1, 0, 0, 0x7C, 0xFF, 0x7B] + [UInt8](repeating: 9, count: 22)
    file.data += (0..<6).flatMap { GGUFBytes.number(Float($0) - 2.5) }
    return file
  }

  @Test(arguments: [UInt32(2), 3]) func readsTensors(version: UInt32) throws {
    let file = try GGUFFile(bytes: Self.full(version: version).bytes)
    #expect(file.version == Int(version) && file.alignment == 32)
    #expect(file.names == ["b", "a"])
    let entry = try #require(file["b"])
    #expect(entry.type == .f32 && entry.shape == [2, 3] && entry.byteRange == 32..<56)
    #expect(file["c"] == nil)
    let b = try file.tensor("b", convertedTo: Float.self)
    #expect(b.shape == [2, 3] && b.elements == [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    #expect(try file.tensor("b", convertedTo: Int8.self).elements == [-2, -1, 0, 0, 1, 2])
    let a: [Float] = [1, -2, 0x1p-24, .infinity, 65_504]
    #expect(try file.tensor("a", convertedTo: Float.self).elements == a)
    #expect(try file.tensor("a", convertedTo: Float16.self).elements == a.map { Float16($0) })
    #expect(try file.tensor("a", convertedTo: BFloat16.self).elements == a.map { BFloat16($0) })
    #expect(try file.tensor("a", convertedTo: Double.self).elements == a.map { Double($0) })
  }

  @Test func readsNumbers() throws {
    let file = try GGUFFile(bytes: Self.full().bytes)
    let integers: [(String, Int?)] = [
      ("u8", 200), ("i8", -56), ("u16", 65_535), ("i16", -2), ("u32", 4_294_967_295), ("i32", -3),
      ("u64", nil),
      ("i64", .min), ("f32", nil), ("f64", nil), ("yes", nil), ("text", nil), ("u8s", nil), ("missing", nil),
    ]
    for (key, value) in integers {
      #expect(file.integer(key) == value, "\(key)")
      if let value {
        #expect(file.number(key) == Double(value) && file.integers("\(key)s") == [value, value], "\(key)")
      }
    }
    #expect(file.number("f32") == Double(Float(0.1)) && file.number("f64") == 0.1)
    #expect(file.number("u64") == 0x1p64 && file.number("yes") == nil && file.number("text") == nil)
    #expect(file.integers("u64s") == nil && file.integers("f32s") == nil && file.integers("u8") == nil)
    #expect(file.numbers("f32s") == [0.1, 0.1] && file.numbers("f64s") == [0.1, 0.1])
    #expect(file.numbers("i8s") == [-56, -56] && file.numbers("yess") == nil && file.numbers("f32") == nil)
    #expect(file.boolean("yes") == true && file.boolean("no") == false && file.boolean("u8") == nil)
  }

  @Test func readsText() throws {
    let file = try GGUFFile(bytes: Self.full().bytes)
    #expect(file.string("text") == "caf\u{E9}" && file.string("u8") == nil && file.string("texts") == nil)
    #expect(file.strings("texts") == ["a", "", "\u{1F600}"] && file.strings("empty") == [])
    #expect(file.strings("u8s") == nil && file.strings("text") == nil && file.strings("missing") == nil)
    var seen: [[UInt8]] = []
    #expect(file.stringBytes("texts") { seen.append(Array($0)) })
    #expect(seen == [[0x61], [], [0xF0, 0x9F, 0x98, 0x80]])
    for key in ["u8s", "text", "missing", "nested"] {
      #expect(!file.stringBytes(key) { _ in Issue.record("called for \(key)") }, "\(key)")
    }
    #expect(file.stringBytes("empty") { _ in Issue.record("called for an empty array") })
  }

  @Test func decodesValuesOfEachType() throws {
    let file = try GGUFFile(bytes: Self.full().bytes)
    #expect(file.metadataKeys.count == 28 && file.metadataKeys.prefix(2) == ["u8", "i8"])
    let values: [(String, GGUFValue, GGUFArray)] = [
      ("u8", .uint8(200), .uint8([200, 200])), ("i8", .int8(-56), .int8([-56, -56])),
      ("u16", .uint16(65_535), .uint16([65_535, 65_535])), ("i16", .int16(-2), .int16([-2, -2])),
      ("u32", .uint32(.max), .uint32([.max, .max])), ("i32", .int32(-3), .int32([-3, -3])),
      ("f32", .float32(0.1), .float32([0.1, 0.1])), ("yes", .bool(true), .bool([true, true])),
      ("u64", .uint64(.max), .uint64([.max, .max])), ("i64", .int64(.min), .int64([.min, .min])),
      ("f64", .float64(0.1), .float64([0.1, 0.1])),
    ]
    for (key, value, array) in values {
      #expect(file.metadata(key) == value && file.metadata("\(key)s") == .array(array), "\(key)")
    }
    #expect(file.metadata("text") == .string("caf\u{E9}") && file.metadata("missing") == nil)
    #expect(file.metadata("nested") == .array(.array([.uint32([7]), .string(["x"])])))
    #expect(file.metadata("empty") == .array(.string([])))
  }

  @Test func takesItsAlignmentFromTheFile() throws {
    var file = GGUFBytes(keys: [GGUFBytes.key("general.alignment", 4, [64, 0, 0, 0])], alignment: 64)
    file.tensors = [GGUFBytes.tensor("x", [1], type: 0, offset: 64)]
    file.data = [UInt8](repeating: 0, count: 64) + GGUFBytes.number(Float(3))
    let opened = try GGUFFile(bytes: file.bytes)
    #expect(opened.alignment == 64)
    #expect(try opened.tensor("x", convertedTo: Float.self).elements == [3])
  }

  @Test func opensFilesWithoutTensors() throws {
    // Nothing has to follow the head, not even its padding.
    var file = GGUFBytes(keys: [GGUFBytes.key("k", 0, [1])])
    file.alignment = 1
    #expect(try GGUFFile(bytes: file.bytes).names.isEmpty)
  }

  @Test func namesTheTensorsThatThereAre() throws {
    let file = try GGUFFile(bytes: Self.full().bytes, name: "x.gguf")
    #expect {
      try file.tensor("c", convertedTo: Float.self)
    } throws: {
      ($0 as? TensorFileError)?.description == #"x.gguf: no tensor "c"; the file has "b", "a""#
    }
  }

  /// A mapped file gives the same, also after its pages were given back, and to several readers at once.
  @Test func readsMappedRowsAfterRelease() async throws {
    let (rows, length) = (4_096, 64)
    var file = GGUFBytes(tensors: [GGUFBytes.tensor("x", [UInt64(length), UInt64(rows)], type: 0, offset: 0)])
    file.data = (0..<rows * length).flatMap { GGUFBytes.number(Float($0)) }
    let directory = try TemporaryDirectory()
    let opened = try GGUFFile(path: try directory.write(file.bytes, to: "x.gguf"))
    let entry = try #require(opened["x"])
    await withTaskGroup(of: Bool.self) { group in
      for part in 0..<4 {
        group.addTask {
          let range = part * rows / 4..<(part + 1) * rows / 4
          var floats = [Float](repeating: -1, count: range.count * length)
          for _ in 0..<8 {
            floats.withUnsafeMutableBufferPointer {
              opened.readRows(entry, rows: range, into: $0.baseAddress!)
            }
            opened.adviseDone(entry)
          }
          return floats.enumerated().allSatisfy { $1 == Float(range.lowerBound * length + $0) }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  /// What was read of a tensor leaves memory; what was read of its neighbours stays, but for the pages on the edges.
  @Test func givesPagesBack() throws {
    let length = 1 << 18
    var file = GGUFBytes()
    file.tensors = (0..<3).map {
      GGUFBytes.tensor("\($0)", [UInt64(length)], type: 30, offset: UInt64($0 * 2 * length))
    }
    file.data = [UInt8](repeating: 1, count: 3 * 2 * length)
    let directory = try TemporaryDirectory()
    let path = try directory.write(file.bytes, to: "pages.gguf")
    let opened = try GGUFFile(path: path)
    /// Kilobytes of the file that this process has mapped and in memory.
    func resident() throws -> Int {
      let lines = String(decoding: try contents(of: "/proc/self/smaps"), as: UTF8.self).split(separator: "\n")
      let start = try #require(lines.firstIndex { $0.hasSuffix(path) })
      let line = try #require(lines[start...].first { $0.hasPrefix("Rss:") })
      return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }
    let entry = try #require(opened["1"])
    var floats = [Float](repeating: 0, count: length)
    for name in opened.names {
      let entry = try #require(opened[name])
      floats.withUnsafeMutableBufferPointer { opened.readRows(entry, rows: 0..<1, into: $0.baseAddress!) }
    }
    let before = try resident()
    opened.adviseDone(entry)
    let after = try resident()
    // 512 KiB a tensor, less a page on either edge; the system's pages may be larger than 4 KiB.
    #expect(before >= 1_536 && (384...512).contains(before - after), "\(before) kB, then \(after) kB")
  }
}
