import TensorFiles
import Testing

/// Files that break one rule each, and the words of their refusal.
@Suite struct GGUFRefusalTests {
  private typealias B = GGUFBytes

  private static func with(_ change: (inout GGUFBytes) -> Void) -> [UInt8] {
    var file = GGUFBytes()
    file.keys = [B.key("k", 4, B.number(UInt32(1)))]
    file.tensors = [B.tensor("t", [4], type: 0, offset: 0)]
    file.data = [UInt8](repeating: 0, count: 64)
    change(&file)
    return file.bytes
  }

  private static func tensors(_ tensors: [UInt8]...) -> [UInt8] { with { $0.tensors = tensors } }

  private static func tensor(_ lengths: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> [UInt8] {
    tensors(B.tensor("t", lengths, type: type, offset: offset))
  }

  private static func keys(_ keys: [UInt8]...) -> [UInt8] { with { $0.keys = keys } }

  private static func value(_ type: UInt32, _ value: [UInt8]) -> [UInt8] { keys(B.key("k", type, value)) }

  /// A file that ends after these bytes of keys.
  private static func cut(_ keys: [UInt8]) -> [UInt8] {
    var file = GGUFBytes(keyCount: 1, keys: [keys])
    file.alignment = 1
    return file.bytes
  }

  private static func nested(_ depth: Int) -> [UInt8] {
    (1..<depth).reduce(B.array(0, 1, [5])) { inner, _ in B.array(9, 1, inner) }
  }

  private static let known = "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_K, q5_K, q6_K"

  private static let heads: [([UInt8], String)] = [
    ([], "0 bytes are too few for the head of a GGUF file, 24"),
    (Array("GGUF".utf8) + [3], "5 bytes are too few for the head of a GGUF file, 24"),
    (
      with { $0.magic = Array("ggml".utf8) },
      "no GGUF file: it begins with the bytes 67 67 6D 6C, expected 47 47 55 46"
    ),
    (with { $0.version = 1 }, "GGUF version 1, expected 2 or 3"),
    (with { $0.version = 4 }, "GGUF version 4, expected 2 or 3"),
    (with { $0.version = 0 }, "GGUF version 0, expected 2 or 3"),
    (
      with { $0.version = 0x0300_0000 },
      "GGUF version 3 in big-endian order, expected little-endian"
    ),
    (
      with { $0.keyCount = .max },
      "18446744073709551615 keys take at least 13 bytes each, but only 136 bytes follow"
    ),
    (with { $0.keyCount = 11 }, "11 keys take at least 13 bytes each, but only 136 bytes follow"),
    (
      with { $0.tensorCount = 1 << 40 },
      "1099511627776 tensors take at least 32 bytes each, but only 136 bytes follow"
    ),
    (with { $0.tensorCount = 5 }, "5 tensors take at least 32 bytes each, but only 136 bytes follow"),
  ]

  private static let metadata: [([UInt8], String)] = [
    (
      cut(B.number(UInt64(100)) + [0x61, 0, 0, 0, 0]),
      "key 0 at byte 32 needs 100 bytes, but the file ends at byte 37"
    ),
    (
      cut(B.number(UInt64.max) + [0x61, 0, 0, 0, 0]),
      "key 0 at byte 32 needs 18446744073709551615 bytes, but the file ends at byte 37"
    ),
    (
      cut(B.text("abcde")),
      "the type of key \"abcde\" at byte 37 needs 4 bytes, but the file ends at byte 37"
    ),
    (keys(B.key("k", 0, [1]), B.key("k", 7, [1])), #"key "k" comes twice"#),
    (
      keys(B.key("\u{E9}", 0, [1]), B.key("e\u{301}", 7, [1])),
      "key \"e\u{301}\" comes twice"
    ),
    (keys(B.text([0x61, 0xFF]) + B.number(UInt32(0)) + [1]), "key 0 at byte 32 is not UTF-8"),
    (keys(B.text([0xC0, 0x80]) + B.number(UInt32(0)) + [1]), "key 0 at byte 32 is not UTF-8"),
    (
      keys(B.text([UInt8](repeating: 0x61, count: 65_536)) + B.number(UInt32(0)) + [1]),
      "key 0 has 65536 bytes, expected at most 65535"
    ),
    (
      keys(B.text("a" + String(repeating: "\u{301}", count: 31)) + B.number(UInt32(0)) + [1]),
      "key 0: a string has more than 30 combining marks in a row"
    ),
    (value(13, [1]), #"key "k" has value type 13, expected 0 to 12"#),
    (value(.max, [1]), #"key "k" has value type 4294967295, expected 0 to 12"#),
    (value(7, [2]), #"key "k" has the byte 2 for a bool at byte 37, expected 0 or 1"#),
    (
      value(9, B.array(7, 3, [1, 0, 255])),
      #"key "k" has the byte 255 for a bool at byte 51, expected 0 or 1"#
    ),
    (cut(B.key("k", 12, [1])), #"key "k" at byte 37 needs 8 bytes, but the file ends at byte 38"#),
    (
      cut(B.key("k", 8, B.number(UInt64(9)) + [1, 2])),
      #"key "k" at byte 45 needs 9 bytes, but the file ends at byte 47"#
    ),
    (value(8, B.text([0xED, 0xA0, 0x80])), #"key "k" at byte 45 is not UTF-8"#),
    (value(8, B.text(Array("0123456789".utf8) + [0xF5])), #"key "k" at byte 45 is not UTF-8"#),
    (
      value(9, B.array(8, 2, B.text("a") + B.text([0x80]))),
      #"key "k", string 1 at byte 66 is not UTF-8"#
    ),
    (
      cut(B.key("k", 9, B.array(8, 2, B.text("abcdefgh")))),
      #"the length of key "k", string 1 at byte 65 needs 8 bytes, but the file ends at byte 65"#
    ),
    (
      cut(B.key("k", 9, B.number(UInt32(0)) + [1])),
      #"the array length of key "k" at byte 41 needs 8 bytes, but the file ends at byte 42"#
    ),
    (
      cut(B.key("k", 9, B.array(10, 3, [1, 2, 3]))),
      #"key "k" has an array of 3 uint64, at least 8 bytes each, but only 3 bytes follow"#
    ),
    (
      cut(B.key("k", 9, B.array(10, .max, [1, 2, 3]))),
      #"key "k" has an array of 9223372036854775807 uint64, at least 8 bytes each, but only 3 bytes follow"#
    ),
    (
      cut(B.key("k", 9, B.array(0, -1, [1, 2, 3]))),
      #"key "k" has an array of 18446744073709551615 uint8, at least 1 bytes each, but only 3 bytes follow"#
    ),
    (
      cut(B.key("k", 9, B.array(9, 1, [1, 2, 3]))),
      #"key "k" has an array of 1 array, at least 12 bytes each, but only 3 bytes follow"#
    ),
    (value(9, B.array(99, 1, [0])), #"the array of key "k" has value type 99, expected 0 to 12"#),
    (value(9, nested(5)), #"key "k" nests more than 4 arrays"#),
    (value(9, nested(5_000)), #"key "k" nests more than 4 arrays"#),
    (
      keys(B.key("general.alignment", 10, B.number(UInt64(32)))),
      #"key "general.alignment" is of type uint64, expected uint32"#
    ),
  ]

  private static let alignments: [([UInt8], String)] = [UInt32(0), 1, 4, 24, 33, .max].map { value in
    (
      keys(B.key("general.alignment", 4, B.number(value))),
      "key \"general.alignment\" is \(value), expected a power of two of at least 8"
    )
  }

  private static let tensorHeads: [([UInt8], String)] = [
    (
      tensors(B.text([0xFE]) + [UInt8](repeating: 0, count: 40)),
      "the name of tensor 0 at byte 49 is not UTF-8"
    ),
    (
      tensors(B.tensor("t", [4], type: 0, offset: 0), B.tensor("t", [4], type: 0, offset: 32)),
      #"tensor "t" comes twice"#
    ),
    (tensor([]), #"tensor "t" has 0 axes, expected 1 to 4"#),
    (tensor([1, 1, 1, 1, 1]), #"tensor "t" has 5 axes, expected 1 to 4"#),
    (
      tensors(B.text("t") + B.number(UInt32.max) + [UInt8](repeating: 0, count: 40)),
      #"tensor "t" has 4294967295 axes, expected 1 to 4"#
    ),
    (tensor([4, 0]), #"tensor "t" has the length 0 on axis 1, expected 1 to 9223372036854775807"#),
    (
      tensor([1 << 63]),
      #"tensor "t" has the length 9223372036854775808 on axis 0, expected 1 to 9223372036854775807"#
    ),
    (tensor([256], type: 10), "tensor \"t\" is of q2_K (type 10), expected one of \(known)"),
    (tensor([256], type: 23), "tensor \"t\" is of iq4_xs (type 23), expected one of \(known)"),
    (tensor([4], type: 24), "tensor \"t\" is of i8 (type 24), expected one of \(known)"),
    (tensor([4], type: 4), "tensor \"t\" is of q4_2 (type 4), expected one of \(known)"),
    (tensor([4], type: 1_000), "tensor \"t\" is of type 1000, expected one of \(known)"),
    (tensor([33], type: 3), #"tensor "t" of q4_1 has rows of 33 weights, expected a multiple of 32"#),
    (
      tensor([32, 8], type: 12),
      #"tensor "t" of q4_K has rows of 32 weights, expected a multiple of 256"#
    ),
    (tensor([4], offset: 1), #"tensor "t" begins at byte 1 of the data, expected a multiple of 32"#),
    (
      tensor([4], offset: .max),
      #"tensor "t" begins at byte 18446744073709551615 of the data, expected a multiple of 32"#
    ),
  ]

  private static let places: [([UInt8], String)] = [
    (
      tensor([4], offset: UInt64.max - 31),
      #"the end of tensor "t" of f32 with shape [4] at byte 18446744073709551584 of the data does not fit an Int"#
    ),
    (
      tensor([4], offset: UInt64(Int.max) - 31),
      #"tensor "t" ends at byte 9223372036854775792 of the data, but the file has 64 bytes of data"#
    ),
    (
      tensor([1 << 32, 1 << 31]),
      #"the end of tensor "t" of f32 with shape [2147483648, 4294967296] at byte 0 of the data does not fit an Int"#
    ),
    (
      tensor([1 << 61]),
      #"the end of tensor "t" of f32 with shape [2305843009213693952] at byte 0 of the data does not fit an Int"#
    ),
    (
      tensor([8, 3]),
      #"tensor "t" ends at byte 96 of the data, but the file has 64 bytes of data"#
    ),
    (
      tensor([4], offset: 64),
      #"tensor "t" ends at byte 80 of the data, but the file has 64 bytes of data"#
    ),
    (
      with { $0.data = [] },
      #"tensor "t" ends at byte 16 of the data, but the file has 0 bytes of data"#
    ),
    (
      tensors(B.tensor("a", [9], type: 0, offset: 0), B.tensor("b", [1], type: 0, offset: 32)),
      #"tensor "b" begins at byte 32 of the data, inside tensor "a", which ends at byte 36"#
    ),
    (
      tensors(
        B.tensor("a", [1], type: 0, offset: 32), B.tensor("b", [16], type: 0, offset: 0),
        B.tensor("c", [1], type: 0, offset: 32)),
      #"tensor "a" begins at byte 32 of the data, inside tensor "b", which ends at byte 64"#
    ),
  ]

  private static let cases = heads + metadata + alignments + tensorHeads + places

  @Test(arguments: cases.indices) func refuses(index: Int) {
    let (bytes, reason) = Self.cases[index]
    #expect(refusal(ofGGUF: bytes) == reason)
  }

  /// Four arrays within each other are fine, and so is the file that the others are made of.
  @Test func acceptsWhatTheyAreMadeOf() {
    #expect(refusal(ofGGUF: Self.with { _ in }) == nil)
    #expect(refusal(ofGGUF: Self.value(9, Self.nested(4))) == nil)
  }

  /// No file that ends early is accepted: the last byte of data is needed too.
  @Test func refusesEveryTruncation() {
    let whole = Self.with { $0.data = [UInt8](repeating: 0, count: 16) }
    for count in whole.indices {
      #expect(refusal(ofGGUF: Array(whole[..<count])) != nil, "accepted \(count) of \(whole.count) bytes")
    }
  }
}
