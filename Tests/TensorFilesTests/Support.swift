import TensorFiles
import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A safetensors file put together by hand: the header's length, the header as it is, `data`.
func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
  file(Array(header.utf8), data: data)
}

func file(_ header: [UInt8], data: [UInt8] = []) -> [UInt8] {
  lengthField(UInt64(header.count)) + header + data
}

func lengthField(_ count: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
}

/// The error of opening bytes; nil where they are accepted.
func refusal(of bytes: [UInt8]) -> TensorFileError? {
  do throws(TensorFileError) {
    _ = try SafetensorsFile(bytes: bytes, name: "case")
    return nil
  } catch {
    return error
  }
}

/// A directory of its own for one test, removed with what is in it.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/TensorFilesTests-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    path = try #require(made)
  }

  deinit {
    for name in names() { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  func names() -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path of a new file with these bytes.
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let path = "\(path)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try bytes.withUnsafeBytes { try writeAll($0, to: descriptor, path: path) }
    return path
  }
}

/// All bytes of a file, also of one in /proc that has no size.
func contents(of path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY)
  try #require(descriptor >= 0, "cannot open \(path)")
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    try #require(count >= 0)
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

extension Tensor {
  /// The bits of all elements: equal where the tensors are, NaN and the sign of 0 included.
  var bits: [UInt8] { elements.withUnsafeBytes { Array($0) } }
}

extension ElementType {
  /// Calls `body` with the Swift type.
  func withType<Result>(_ body: (any TensorElement.Type) throws -> Result) rethrows -> Result {
    switch self {
    case .float64: try body(Double.self)
    case .float32: try body(Float.self)
    case .float16: try body(Float16.self)
    case .bfloat16: try body(BFloat16.self)
    case .int64: try body(Int64.self)
    case .int32: try body(Int32.self)
    case .int8: try body(Int8.self)
    case .uint8: try body(UInt8.self)
    case .bool: try body(Bool.self)
    }
  }
}
