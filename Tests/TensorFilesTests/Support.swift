import TensorFiles
import Tensors
import TestSupport
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
