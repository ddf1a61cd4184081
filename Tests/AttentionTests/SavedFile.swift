import Tensors
import TensorFiles

/// The parts of a saved cache, to be changed and put together again with a checksum that fits: what somebody who knows the format
/// could write.
struct SavedFile {
  struct Part {
    var type: ElementType
    var shape: Shape
    var bytes: [UInt8]
  }

  var metadata: [String: String]
  var tensors: [String: Part] = [:]

  init(_ bytes: [UInt8]) throws {
    let file = try SafetensorsFile(bytes: bytes)
    metadata = file.metadata
    for name in file.names {
      guard let entry = file[name] else { continue }
      tensors[name] = Part(
        type: entry.elementType, shape: entry.shape, bytes: file.withBytes(of: entry) { Array($0) })
    }
  }

  /// By the definition in the documentation, of this order of tensors.
  var checksum: String {
    let lines = metadata.filter { $0.key != "checksum" }.sorted { $0.key < $1.key }.map {
      "\($0.key)=\($0.value)\n"
    }
    var bytes = Array(lines.joined().utf8)
    for name in ["tokens", "keys", "values", "keys.scales", "values.scales", "keys.low", "keys.lengths"] {
      bytes += tensors[name]?.bytes ?? []
    }
    let count = bytes.count
    bytes += [UInt8](repeating: 0, count: (8 - count % 8) % 8)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ word: UInt64) {
      hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 32
    }
    for word in 0..<bytes.count / 8 {
      add((0..<8).reduce(0) { $0 | UInt64(bytes[8 * word + $1]) << UInt64(8 * $1) })
    }
    add(UInt64(count))
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  func bytes(fixingChecksum: Bool = true) throws -> [UInt8] {
    var text = metadata
    if fixingChecksum { text["checksum"] = checksum }
    var writer = SafetensorsWriter(metadata: text)
    for (name, part) in tensors {
      try writer.add(name, part.type, part.shape) { (sink) throws(TensorFileError) in
        try part.bytes.span.withUnsafeBytes { (bytes) throws(TensorFileError) in try sink(bytes) }
      }
    }
    return try writer.bytes()
  }
}
