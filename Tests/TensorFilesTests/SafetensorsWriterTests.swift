import TensorFiles
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What is written: byte for byte, read back, and whole or not at all.
@Suite struct SafetensorsWriterTests {
  // MARK: Bytes

  @Test func writesTheBytesOfTheFormat() throws {
    var writer = SafetensorsWriter()
    try writer.add("x", Tensor<Float>([1, -2], shape: [1, 2]))
    let json = #"{"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#
    #expect(json.utf8.count == 56)
    #expect(
      try writer.bytes() == [56, 0, 0, 0, 0, 0, 0, 0] + Array(json.utf8) + [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
  }

  @Test func padsTheHeaderWithSpaces() throws {
    #expect(try SafetensorsWriter().bytes() == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
    var writer = SafetensorsWriter(metadata: ["b": "2", "a": "1"])
    try writer.add("", Tensor<UInt8>([9], shape: []))
    let json = #"{"__metadata__":{"a":"1","b":"2"},"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#
    #expect(json.utf8.count == 84)
    #expect(try writer.bytes() == [88, 0, 0, 0, 0, 0, 0, 0] + Array((json + "    ").utf8) + [9])
  }

  @Test func ordersByAlignmentThenName() throws {
    var writer = SafetensorsWriter()
    for (index, type) in ElementType.allCases.reversed().enumerated() {
      try type.withType { try addZero($0, named: "t\(index)", to: &writer) }
    }
    for name in ["\u{1F600}", "z", "\u{FB03}", "Z", "e\u{301}", "f"] {
      try addZero(Double.self, named: name, to: &writer)
    }
    let file = try SafetensorsFile(bytes: writer.bytes())
    #expect(
      file.names.map { file[$0]?.elementType } == [.int64] + Array(repeating: .float64, count: 7)
        + [.float32, .int32, .bfloat16, .float16, .int8, .uint8, .bool])
    // By UTF-8 bytes, as Rust orders strings, where Swift's own order normalises first.
    #expect(Array(file.names[1..<8]) == ["Z", "e\u{301}", "f", "t8", "z", "\u{FB03}", "\u{1F600}"])
    for name in file.names {
      let entry = try #require(file[name])
      #expect(entry.byteRange.lowerBound.isMultiple(of: entry.elementType.byteCount), "\(name)")
    }
  }

  private func addZero<E: TensorElement>(_: E.Type, named name: String, to writer: inout SafetensorsWriter)
    throws
  {
    try writer.add(name, Tensor<E>.zeros([1]))
  }

  // MARK: Round trips

  @Test(
    arguments: ElementType.allCases,
    [[], [6], [2, 3], [0], [3, 0, 2], [1, 1, 2, 1, 1, 3, 1, 1]] as [[Int]])
  func returnsWhatWasWritten(type: ElementType, shape: [Int]) throws {
    try type.withType { try returnsSame($0, Shape(shape)) }
  }

  private func returnsSame<E: TensorElement>(_: E.Type, _ shape: Shape) throws {
    let values: [Double] = [-0.0, 1, -1.5, .nan, -.infinity, 1e-40]
    let count = try #require(shape.checkedElementCount)
    let tensor = try Tensor((0..<count).map { E(nearest: values[($0 + 3) % 6]) }, shape: shape)
    var writer = SafetensorsWriter()
    try writer.add("other", Tensor<UInt8>([1], shape: [1]))
    try writer.add("x", tensor)
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/x.safetensors"
    try writer.write(to: path)
    #expect(try contents(of: path) == writer.bytes())
    for file in [try SafetensorsFile(path: path), try SafetensorsFile(bytes: writer.bytes())] {
      let read: Tensor<E> = try file.tensor("x")
      #expect(read.shape == shape)
      #expect(read.bits == tensor.bits, "\(E.elementType) \(shape)")
    }
  }

  @Test func writesViewsInRowMajorOrder() throws {
    let base = try Tensor((0..<24).map(Float.init), shape: [2, 3, 4])
    let views = [
      "permuted": base.permuted(2, 0, 1), "transposed": base.transposed(),
      "sliced": base.sliced(axis: 1, 1..<3), "stepped": base.sliced(axis: 2, 1..<4, by: 2),
      "selected": base.selected(axis: 2, 3), "empty": base.sliced(axis: 0, 1..<1),
    ]
    var writer = SafetensorsWriter()
    for (name, view) in views { try writer.add(name, view) }
    let file = try SafetensorsFile(bytes: writer.bytes())
    for (name, view) in views {
      let read: Tensor<Float> = try file.tensor(name)
      #expect(read.shape == view.shape && read.elements == view.elements, "\(name)")
    }
    #expect(try file.tensor("transposed", as: Float.self).elements.prefix(4) == [0, 4, 8, 1])
  }

  @Test(arguments: [
    "", "\"", "\\", "a/b", "\u{0}\u{1}\u{8}\t\n\u{B}\u{C}\r\u{1F}\u{7F}", "\u{E9}\u{4E2D}\u{1F600}\u{2028}",
    "\\u0061", "{}",
  ])
  func keepsEveryString(text: String) throws {
    var writer = SafetensorsWriter(metadata: ["key \(text)": text, "__metadata__": text])
    try writer.add(text, Tensor<Int8>([-3], shape: [1]))
    let file = try SafetensorsFile(bytes: writer.bytes())
    #expect(file.metadata == ["key \(text)": text, "__metadata__": text])
    #expect(file.names.map { Array($0.utf8) } == [Array(text.utf8)])
    #expect(try file.tensor(text, as: Int8.self).elements == [-3])
  }

  @Test func refusesReservedAndRepeatedNames() throws {
    var writer = SafetensorsWriter()
    let tensor = Tensor<Float>.zeros([1])
    #expect(throws: TensorFileError.self) { try writer.add("__metadata__", tensor) }
    try writer.add("\u{E9}", tensor)
    let before = try writer.bytes()
    for name in ["\u{E9}", "e\u{301}"] {
      let error = #expect(throws: TensorFileError.self) { try writer.add(name, tensor) }
      #expect(error?.reason.contains("already") == true)
    }
    #expect(try writer.bytes() == before)
  }

  @Test func refusesWhatTheReaderWouldRefuse() throws {
    let marks = "a" + String(repeating: "\u{301}", count: 31)
    var writer = SafetensorsWriter()
    #expect(throws: TensorFileError.self) { try writer.add(marks, Tensor<Float>.zeros([1])) }
    for metadata in [["a": marks], [marks: "a"]] {
      #expect(throws: TensorFileError.self) { try SafetensorsWriter(metadata: metadata).bytes() }
    }
  }

  // MARK: Files

  @Test func replacesAnOldFileThatIsMapped() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/x"
    var old = SafetensorsWriter()
    try old.add("x", Tensor<Float>(repeating: 1, shape: [5000]))
    try old.write(to: path)
    let mapped: Tensor<Float> = try SafetensorsFile(path: path).tensor("x")
    var new = SafetensorsWriter()
    try new.add("x", Tensor<Float>([2], shape: [1]))
    try new.write(to: path)
    #expect(mapped.elements.allSatisfy { $0 == 1 })
    #expect(try SafetensorsFile(path: path).tensor("x", as: Float.self).elements == [2])
    // A tensor of the file may be written over the file.
    var same = SafetensorsWriter()
    try same.add("y", mapped)
    try same.write(to: path)
    #expect(try SafetensorsFile(path: path).tensor("y", as: Float.self).elements == mapped.elements)
    #expect(try directory.contents() == ["x"])
  }

  @Test func refusesTargetsThatAreNoFiles() throws {
    let directory = try TemporaryDirectory()
    let link = "\(directory.path)/link"
    try #require(symlink("/dev/full", link) == 0)
    let old = try directory.write([1, 2, 3], to: "old")
    let targets = [
      directory.path, "/dev/full", "/dev/null", link, "\(directory.path)/missing/x", "\(old)/x",
      "\(directory.path)/", "\(old)/", "\(old)\0", "",
      "\(directory.path)/\(String(repeating: "x", count: 300))",
    ]
    for target in targets {
      let error = #expect(throws: TensorFileError.self, "\(target)") {
        try SafetensorsWriter().write(to: target)
      }
      #expect(error?.path == target)
    }
    #expect(try directory.contents() == ["link", "old"])
    #expect(try contents(of: old) == [1, 2, 3])
    var status = stat()
    #expect(stat("/dev/full", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
  }

  @Test func reportsAFullDevice() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let error = #expect(throws: TensorFileError.self) {
      try [UInt8](repeating: 0, count: 100).withUnsafeBytes { try writeAll($0, to: descriptor, path: "full") }
    }
    #expect(error?.description == "full: cannot write: No space left on device")
  }

  /// A limit on the size of files makes the kernel cut a write short and refuse the next, as a full disk does. It holds for
  /// the whole process, so this runs in one of its own.
  @Test func leavesTheOldFileWhereAWriteFails() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let old = try directory.write([1, 2, 3], to: "old")
      var writer = SafetensorsWriter()
      try writer.add("x", Tensor<Float>.zeros([10_000]))
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      for path in [old, "\(directory.path)/new"] {
        let error = #expect(throws: TensorFileError.self) { try writer.write(to: path) }
        #expect(error?.reason == "cannot write: File too large")
      }
      #expect(try contents(of: old) == [1, 2, 3])
      #expect(try directory.contents() == ["old"])
    }
  }

  @Test func givesNewFilesThePermissionsOfTheUmask() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      for (mask, mode) in [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)] as [(mode_t, mode_t)] {
        umask(mask)
        let path = "\(directory.path)/x"
        try SafetensorsWriter().write(to: path)
        var status = stat()
        try #require(stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == mode, "umask \(mask)")
      }
    }
  }
}
