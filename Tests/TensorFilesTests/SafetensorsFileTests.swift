import TensorFiles
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What opening and reading give, for files that are as they should be or whose data is not.
@Suite struct SafetensorsFileTests {
  /// Two tensors, the header in an order other than the data's, with white space and text around.
  static let small = file(
    #" {"__metadata__":{"op":"x","k":""},"b":{"data_offsets":[8, 10],"shape":[2],"dtype":"BOOL","note":[1.5e3]},"#
      .dropFirst() + "\n\t" + #""a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}  "#,
    data: [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 1, 0])

  @Test func readsHeaderAndData() throws {
    let file = try SafetensorsFile(bytes: Self.small)
    #expect(file.metadata == ["op": "x", "k": ""])
    #expect(file.names == ["a", "b"])
    let entry = try #require(file["b"])
    #expect(entry.elementType == .bool && entry.shape == [2] && entry.byteRange == 8..<10)
    #expect(file["c"] == nil)
    let a: Tensor<Float> = try file.tensor("a")
    #expect(a.shape == [1, 2] && a.elements == [1, -2])
    #expect(try file.tensor("b", as: Bool.self).elements == [true, false])
  }

  @Test(arguments: ["{}", "{}      ", "{ } \r\n\t", #"{"__metadata__":{}}"#])
  func acceptsFilesWithoutTensors(header: String) throws {
    let file = try SafetensorsFile(bytes: file(header))
    #expect(file.names.isEmpty && file.metadata.isEmpty)
  }

  @Test func resolvesEscapes() throws {
    let header =
      #"{"__metadata__":{"\u0061\"\\\/\b\f\n\r\t\u0000":"\u00e9\ud83d\ude00é😀"},"#
      + #""\u0078\ud834\uDD1E":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#
    let file = try SafetensorsFile(bytes: file(header, data: [7]))
    #expect(file.metadata == ["a\"\\/\u{8}\u{C}\n\r\t\0": "\u{E9}\u{1F600}\u{E9}\u{1F600}"])
    #expect(file.names == ["x\u{1D11E}"])
    #expect(try file.tensor("x\u{1D11E}", as: UInt8.self).elements == [7])
  }

  @Test func acceptsEmptyTensorsBetweenOthers() throws {
    let file = try SafetensorsFile(
      bytes: file(
        #"{"e":{"dtype":"I64","shape":[3,0],"data_offsets":[1,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""d":{"dtype":"F64","shape":[0],"data_offsets":[2,2]},"b":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}"#,
        data: [1, 255]))
    #expect(file.names == ["a", "e", "b", "d"])
    #expect(try file.tensor("e", as: Int64.self).shape == [3, 0])
    #expect(try file.tensor("d", convertedTo: Float.self).elements == [])
    #expect(try file.tensor("b", convertedTo: Float.self).elements == [-1])
  }

  /// A header of any length puts the data at any address: views where it is aligned, copies elsewhere, the same values.
  @Test(arguments: 0..<8) func viewsAlignedDataAndCopiesOther(padding: Int) throws {
    let json = #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    let header = json + String(repeating: " ", count: (8 - json.utf8.count % 8) % 8 + padding)
    let directory = try TemporaryDirectory()
    let path = try directory.write(file(header, data: [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]), to: "x")
    let file = try SafetensorsFile(path: path)
    let (first, second) = (try file.tensor("x", as: Float.self), try file.tensor("x", as: Float.self))
    #expect(first.elements == [1, -2] && second.elements == [1, -2])
    #expect(try file.tensor("x", convertedTo: Double.self).elements == [1, -2])
    let isSameMemory = first.withUnsafePointer { $0 } == second.withUnsafePointer { $0 }
    #expect(isSameMemory == padding.isMultiple(of: 4))
  }

  @Test func keepsTheFileMappedWhileATensorLives() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.small, to: "mapped.safetensors")
    func isMapped() throws -> Bool {
      String(decoding: try contents(of: "/proc/self/maps"), as: UTF8.self).contains(path)
    }
    var tensor: Tensor<Bool>? = try SafetensorsFile(path: path).tensor("b")
    #expect(try isMapped())
    #expect(tensor?.elements == [true, false])
    tensor?[0] = false
    #expect(tensor?.elements == [false, false])
    #expect(try contents(of: path) == Self.small, "a write to a tensor must not reach the file")
    tensor = nil
    #expect(try !isMapped())
  }

  @Test func convertsEveryTypeToEveryOther() throws {
    for source in ElementType.allCases {
      for target in ElementType.allCases {
        let converted = try source.withType { source in
          try target.withType { target in try convert(source, target) }
        }
        // Zero and one are all that every type holds; beyond them, each rounds as its initialiser says.
        #expect(converted.0 == converted.1, "\(source) to \(target)")
      }
    }
  }

  private func convert<S: TensorElement, T: TensorElement>(
    _: S.Type, _: T.Type
  ) throws -> ([UInt8], [UInt8]) {
    let values = (0..<1500).map { S(nearest: [0, 1, -1, 2.75, 300.5, -1e30, .infinity][$0 % 7]) }
    var writer = SafetensorsWriter()
    try writer.add("x", Tensor(values, shape: [30, 50]))
    let converted = try SafetensorsFile(bytes: writer.bytes()).tensor("x", convertedTo: T.self)
    #expect(converted.shape == [30, 50])
    let expected = values.map { S.elementType == T.elementType ? $0 as? T : T(nearest: $0.doubleValue) }
    return (converted.bits, expected.compactMap(\.self).withUnsafeBytes { Array($0) })
  }

  @Test func refusesBooleansOtherThanZeroAndOne() throws {
    var bytes = Self.small
    bytes[bytes.count - 1] = 2
    let file = try SafetensorsFile(bytes: bytes, name: "case")
    #expect(throws: TensorFileError.self) { try file.tensor("b", as: Bool.self) }
    #expect(throws: TensorFileError.self) { try file.tensor("b", convertedTo: Float.self) }
    #expect(try file.tensor("a", as: Float.self).elements == [1, -2])
  }

  @Test func namesWhatIsMissingOrMismatched() throws {
    let file = try SafetensorsFile(bytes: Self.small, name: "case")
    let missing = #expect(throws: TensorFileError.self) { try file.tensor("c", as: Float.self) }
    #expect(missing?.description == #"case: no tensor "c"; the file has "a", "b""#)
    let mismatch = #expect(throws: TensorFileError.self) { try file.tensor("a", as: Int32.self) }
    #expect(mismatch?.description == #"case: tensor "a" holds float32, not int32"#)
  }

  @Test func suggestsNearNamesOfALargeFile() throws {
    var writer = SafetensorsWriter()
    for layer in 0..<20 { try writer.add("layers.\(layer).query.weight", Tensor<Float>.zeros([1])) }
    let file = try SafetensorsFile(bytes: writer.bytes())
    let error = #expect(throws: TensorFileError.self) {
      try file.tensor("layers.17.query.weights", as: Float.self)
    }
    #expect(
      error?.reason.contains(#"the nearest of 20 names are "layers.17.query.weight""#) == true,
      "\(error as Any)")
  }

  @Test func refusesWhatIsNoRegularFile() throws {
    let directory = try TemporaryDirectory()
    let fifo = "\(directory.path)/fifo"
    try #require(mkfifo(fifo, 0o600) == 0)
    let cases = [
      (directory.path, "not a regular file"), (fifo, "not a regular file"),
      ("/dev/null", "not a regular file"),
      (try directory.write([], to: "empty"), "the file is empty"),
      ("\(directory.path)/missing", "cannot open: No such file or directory"),
      ("\(directory.path)/empty\0.safetensors", "a path cannot contain a NUL character"), ("", "cannot open"),
    ]
    for (path, reason) in cases {
      let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
      #expect(error?.path == path)
      #expect(error?.reason.hasPrefix(reason) == true, "\(path): \(error as Any)")
    }
  }

  @Test func keepsErrorsOnOneLine() throws {
    let header = #"{"\n\u001b[2J\u2028\u202e"# + String(repeating: "x", count: 500) + #"":{"dtype":"Q4"}}"#
    let error = #expect(throws: TensorFileError.self) {
      try SafetensorsFile(bytes: file(header), name: "two\nlines")
    }
    let line = try #require(error?.description)
    #expect(line.hasPrefix("two\\nlines: ") && line.contains("Q4") && line.utf8.count < 300)
    #expect(
      !line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{2028}" || $0 == "\u{202E}" }, "\(line)")
  }
}
