import TensorFiles
import TestSupport
import Testing

/// Headers that lie: each is refused with an error that says why, none traps.
@Suite struct SafetensorsHeaderTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    let reason: String

    init(_ name: String, _ header: String, dataCount: Int = 0, _ reason: String) {
      self.init(name, bytes: file(header, data: [UInt8](repeating: 0, count: dataCount)), reason)
    }

    init(_ name: String, bytes: [UInt8], _ reason: String) {
      self.name = name
      self.bytes = bytes
      self.reason = reason
    }

    var testDescription: String { name }
  }

  private static func tensor(
    _ name: String = "x", dtype: String = #""F32""#, shape: String = "[1]", offsets: String = "[0,4]"
  ) -> String {
    #""\#(name)":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  /// A name of two marks by turns, which canonical order puts the other way round.
  private static func marks(_ byteCount: Int) -> [UInt8] {
    var name: [UInt8] = []
    name.reserveCapacity(byteCount)
    while name.count < byteCount { name += [0xCC, 0x81, 0xCC, 0xA3] }
    return file(Array(#"{""#.utf8) + name + Array(#"":{}}"#.utf8))
  }

  static let lengths: [Case] = [
    Case("no bytes", bytes: [], "too few"),
    Case("seven bytes", bytes: [UInt8](repeating: 0, count: 7), "too few"),
    Case("a length without header", bytes: lengthField(60), "only 0 follow"),
    Case("an empty header", "", "does not start with '{'"),
    Case("a header past the end", bytes: lengthField(3) + Array("{}".utf8), "only 2 follow"),
    Case(
      "a header of 100 MB and one", bytes: lengthField(100_000_001) + Array("{}".utf8), "at most 100000000"),
    Case("the longest header, missing", bytes: lengthField(100_000_000) + Array("{}".utf8), "only 2 follow"),
    Case("a negative length", bytes: lengthField(.max) + Array("{}".utf8), "at most 100000000"),
    Case("a length that wraps", bytes: lengthField(.max - 7) + Array("{}".utf8), "at most 100000000"),
    Case("trailing bytes", "{\(tensor())}", dataCount: 5, "take 4 bytes of data, but the file has 5"),
    Case("missing bytes", "{\(tensor())}", dataCount: 3, "take 4 bytes of data, but the file has 3"),
    Case("data without tensors", "{}", dataCount: 1, "take 0 bytes of data, but the file has 1"),
  ]

  static let syntax: [Case] = [
    Case("not UTF-8", bytes: file([0x7B, 0xFF, 0x7D]), "not UTF-8"),
    Case("a surrogate in UTF-8", bytes: file(Array(#"{"a"#.utf8) + [0xED, 0xA0, 0x80]), "not UTF-8"),
    Case("overlong UTF-8", bytes: file(Array(#"{"a"#.utf8) + [0xC0, 0xA2]), "not UTF-8"),
    Case("a byte order mark", "\u{FEFF}{}", "does not start with '{'"),
    Case("leading white space", " {}", "does not start with '{'"),
    Case("an array", "[]", "does not start with '{'"),
    Case("a string", #""{}""#, "does not start with '{'"),
    Case("an open object", "{", "expected '\"'"),
    Case("text after the object", "{} x", "expected the end"),
    Case("a second object", "{}{}", "expected the end"),
    Case("NUL padding", "{}\0", "expected the end"),
    Case("a trailing comma", "{\(tensor()),}", dataCount: 4, "expected '\"'"),
    Case("a leading comma", "{,\(tensor())}", dataCount: 4, "expected '\"'"),
    Case("no comma", "{\(tensor("a"))\(tensor("b"))}", dataCount: 4, "expected ','"),
    Case("no colon", #"{"x" {}}"#, "expected ':'"),
    Case("a bare name", "{x:{}}", "expected '\"'"),
    Case("single quotes", "{'x':{}}", "expected '\"'"),
    Case("a comment", "{/**/}", "expected '\"'"),
    Case("an open string", #"{"x"#, "ends inside a string"),
    Case("an open escape", #"{"x\"#, "ends inside a string"),
    Case("a raw line break in a string", "{\"x\n\":{}}", "control character"),
    Case("an unknown escape", #"{"\x":{}}"#, "unknown escape"),
    Case("a short Unicode escape", #"{"\u12":{}}"#, "four hexadecimal digits"),
    Case("a signed Unicode escape", #"{"\u+123":{}}"#, "four hexadecimal digits"),
    Case("a lone high surrogate", #"{"\ud800":{}}"#, "half a surrogate pair"),
    Case("a lone low surrogate", #"{"\udc00":{}}"#, "half a surrogate pair"),
    Case("two high surrogates", #"{"\ud800\ud800":{}}"#, "half a surrogate pair"),
    Case("a high surrogate and a letter", #"{"\ud800\u0061":{}}"#, "half a surrogate pair"),
    Case("31 marks in a row", "{\"a\(String(repeating: "\u{301}", count: 31))\":{}}", "combining marks"),
    Case("marks that take days to sort", bytes: marks(40_000_000), "combining marks"),
    Case("an ignored value that is none", #"{"x":{"y":nul}}"#, "expected a value"),
    Case("an ignored number with a leading zero", #"{"x":{"y":01}}"#, "starts with 0"),
    Case("an ignored number without fraction", #"{"x":{"y":1.}}"#, "expected a value"),
    Case("an ignored number without exponent", #"{"x":{"y":1e+}}"#, "expected a value"),
    Case("an ignored number out of range", #"{"x":{"y":-1e999}}"#, "out of range"),
    Case("an ignored NaN", #"{"x":{"y":NaN}}"#, "expected a value"),
    Case("an ignored value left out", #"{"x":{"y":}}"#, "expected a value"),
  ]

  static let members: [Case] = [
    Case("a tensor that is an array", #"{"x":["F32",[1],[0,4]]}"#, dataCount: 4, "expected '{'"),
    Case("a tensor that is null", #"{"x":null}"#, "expected '{'"),
    Case("no dtype", #"{"x":{"shape":[1],"data_offsets":[0,4]}}"#, dataCount: 4, #"tensor "x" has no dtype"#),
    Case(
      "no shape", #"{"x":{"dtype":"F32","data_offsets":[0,4]}}"#, dataCount: 4, #"tensor "x" has no shape"#),
    Case(
      "no offsets", #"{"x":{"dtype":"F32","shape":[1]}}"#, dataCount: 4, #"tensor "x" has no data_offsets"#),
    Case("an unknown dtype", "{\(tensor(dtype: #""U16""#))}", dataCount: 4, #"tensor "x" has dtype "U16""#),
    Case("a lower-case dtype", "{\(tensor(dtype: #""f32""#))}", dataCount: 4, #"tensor "x" has dtype "f32""#),
    Case("a dtype that is a number", "{\(tensor(dtype: "32"))}", dataCount: 4, "expected '\"'"),
    Case("a dtype that is an object", "{\(tensor(dtype: #"{"F32":null}"#))}", dataCount: 4, "expected '\"'"),
    Case("a shape that is a number", "{\(tensor(shape: "1"))}", dataCount: 4, "expected '['"),
    Case("a shape of strings", "{\(tensor(shape: #"["1"]"#))}", dataCount: 4, "non-negative integer"),
    Case("a shape of null", "{\(tensor(shape: "[null]"))}", dataCount: 4, "non-negative integer"),
    Case("a nested shape", "{\(tensor(shape: "[[1]]"))}", dataCount: 4, "non-negative integer"),
    Case("a negative length", "{\(tensor(shape: "[-1]"))}", dataCount: 4, "non-negative integer"),
    Case("minus zero", "{\(tensor(shape: "[-0]", offsets: "[0,0]"))}", "non-negative integer"),
    Case("a fraction", "{\(tensor(shape: "[1.0]"))}", dataCount: 4, "without fraction"),
    Case("an exponent", "{\(tensor(shape: "[1e0]"))}", dataCount: 4, "without fraction"),
    Case("a leading zero", "{\(tensor(shape: "[01]"))}", dataCount: 4, "starts with 0"),
    Case("a plus sign", "{\(tensor(shape: "[+1]"))}", dataCount: 4, "non-negative integer"),
    Case("2^63", "{\(tensor(shape: "[9223372036854775808]"))}", dataCount: 4, "greater than"),
    Case("2^64 + 1", "{\(tensor(shape: "[18446744073709551617]"))}", dataCount: 4, "greater than"),
    Case(
      "forty digits", "{\(tensor(shape: "[\(String(repeating: "9", count: 40))]"))}", dataCount: 4,
      "greater than"),
    Case(
      "nine axes", "{\(tensor(shape: "[1,1,1,1,1,1,1,1,1]"))}", dataCount: 4,
      #"tensor "x" has more than 8 axes"#),
    Case("one offset", "{\(tensor(offsets: "[4]"))}", dataCount: 4, "fewer than two"),
    Case("three offsets", "{\(tensor(offsets: "[0,4,4]"))}", dataCount: 4, "more than two"),
    Case("a negative offset", "{\(tensor(offsets: "[-4,0]"))}", dataCount: 4, "non-negative integer"),
    Case("metadata that is null", #"{"__metadata__":null}"#, "expected '{'"),
    Case("metadata that is text", #"{"__metadata__":"x"}"#, "expected '{'"),
    Case("metadata of numbers", #"{"__metadata__":{"a":1}}"#, "expected '\"'"),
    Case("nested metadata", #"{"__metadata__":{"a":{}}}"#, "expected '\"'"),
    Case("metadata that is a tensor", "{\(tensor("__metadata__"))}", dataCount: 4, "expected '\"'"),
  ]

  static let duplicates: [Case] = [
    Case("a tensor twice", "{\(tensor("a")),\(tensor("a"))}", dataCount: 4, #""a" comes twice"#),
    Case(
      "a tensor twice by escapes", "{\(tensor("a")),\(tensor(#"\u0061"#))}", dataCount: 4, #""a" comes twice"#
    ),
    Case(
      "two spellings of one text", "{\(tensor("e\u{301}")),\(tensor("\u{E9}"))}", dataCount: 4, "comes twice"),
    Case("metadata twice", #"{"__metadata__":{},"__metadata__":{}}"#, "comes twice"),
    Case("a key of metadata twice", #"{"__metadata__":{"a":"1","a":"2"}}"#, #""a" comes twice"#),
    Case("a field twice", #"{"x":{"dtype":"F32","dtype":"F32"}}"#, #""dtype" comes twice"#),
    Case("an ignored field twice", #"{"x":{"y":1,"y":1}}"#, #""y" comes twice"#),
    Case("a name twice inside an ignored field", #"{"x":{"y":[{"z":1,"z":1}]}}"#, #""z" comes twice"#),
  ]

  static let layouts: [Case] = [
    Case("reversed", "{\(tensor(offsets: "[4,0]"))}", dataCount: 4, #"tensor "x" ends at byte 0, before"#),
    Case("too few bytes", "{\(tensor(offsets: "[0,3]"))}", dataCount: 3, "has 3 bytes of data, expected 4"),
    Case("too many bytes", "{\(tensor(offsets: "[0,8]"))}", dataCount: 8, "has 8 bytes of data, expected 4"),
    Case(
      "no bytes for a scalar", "{\(tensor(shape: "[]", offsets: "[0,0]"))}", "has 0 bytes of data, expected 4"
    ),
    Case("a hole before the first", "{\(tensor(offsets: "[4,8]"))}", dataCount: 8, "leaves a hole"),
    Case(
      "a hole between", "{\(tensor("a")),\(tensor("b", offsets: "[8,12]"))}", dataCount: 12,
      #"tensor "b" leaves a hole in the data: it begins at byte 8, not 4"#),
    Case(
      "an overlap", "{\(tensor("a")),\(tensor("b", offsets: "[2,6]"))}", dataCount: 6,
      #"tensor "b" overlaps the data before it"#),
    Case(
      "an overlap, unsorted", "{\(tensor("b", offsets: "[2,6]")),\(tensor("a"))}", dataCount: 6,
      #"tensor "b" overlaps the data before it"#),
    Case("the same bytes twice", "{\(tensor("a")),\(tensor("b"))}", dataCount: 4, "overlaps"),
    Case(
      "an empty tensor inside another",
      "{\(tensor("a")),\(tensor("b", shape: "[0]", offsets: "[2,2]"))}", dataCount: 4, "overlaps"),
    Case("offsets past the end", "{\(tensor(offsets: "[9223372036854775803,9223372036854775807]"))}", "hole"),
    Case(
      "elements that overflow", "{\(tensor(shape: "[4611686018427387904,4]"))}", dataCount: 4, "does not fit"),
    Case(
      "elements that wrap to one", "{\(tensor(shape: "[3,6148914691236517205,9223372036854775807]"))}",
      dataCount: 4, "does not fit"),
    Case("bytes that overflow", "{\(tensor(shape: "[4611686018427387904]"))}", dataCount: 4, "does not fit"),
    Case("2^32 by 2^32", "{\(tensor(shape: "[4294967296,4294967296]", offsets: "[0,0]"))}", "does not fit"),
    Case(
      "an empty tensor whose other lengths overflow",
      "{\(tensor(shape: "[0,4611686018427387904,4]", offsets: "[0,0]"))}", "does not fit"),
  ]

  @Test(arguments: lengths + syntax + members + duplicates + layouts)
  func refuses(_ test: Case) {
    let error = refusal(of: test.bytes)
    #expect(error != nil, "accepted")
    #expect(error?.reason.contains(test.reason) == true, "\(error as Any) does not say: \(test.reason)")
    #expect(error?.path == "case")
  }

  /// Without the defect, the same shape of header is accepted: the table above refuses for its own reasons.
  @Test func acceptsWhatTheTableIsMadeFrom() {
    let marks = String(repeating: "\u{301}", count: 30)
    let header =
      "{\(Self.tensor("a\(marks)e\(marks)")),\(Self.tensor("b", shape: "[1,1,1,1,1,1,1,1]", offsets: "[4,8]"))}"
    #expect(refusal(of: file(header, data: [UInt8](repeating: 0, count: 8))) == nil)
    #expect(refusal(of: file("{\(Self.tensor(shape: "[4611686018427387903,0]", offsets: "[0,0]"))}")) != nil)
    #expect(refusal(of: file("{\(Self.tensor(shape: "[2305843009213693951,0]", offsets: "[0,0]"))}")) == nil)
  }

  @Test(arguments: [(#"["#, "]"), (#"{"a":"#, "}")])
  func boundsNesting(open: String, close: String) {
    func refused(_ depth: Int, closed: Bool) -> TensorFileError? {
      // The header and the tensor's object are the first two levels.
      let value = String(repeating: open, count: depth - 2) + "1"
      let end = closed ? String(repeating: close, count: depth - 2) : ""
      return refusal(
        of: file(#"{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"y":"# + value + end + "}}"))
    }
    #expect(refused(127, closed: true) == nil)
    #expect(refused(128, closed: true)?.reason.contains("nested deeper than 127") == true)
    #expect(refused(100_000, closed: true)?.reason.contains("nested deeper than 127") == true)
    #expect(refused(100_000, closed: false)?.reason.contains("nested deeper than 127") == true)
  }

  @Test func refusesEveryTruncation() throws {
    let whole = SafetensorsFileTests.small
    #expect(refusal(of: whole) == nil)
    let directory = try TemporaryDirectory()
    for count in 0..<whole.count {
      let part = Array(whole[..<count])
      #expect(refusal(of: part) != nil, "\(count) of \(whole.count) bytes")
      let path = try directory.write(part, to: "part")
      #expect(throws: TensorFileError.self, "\(count) of \(whole.count) bytes") {
        try SafetensorsFile(path: path)
      }
    }
  }
}
